"""The page's addresses, on loopback only."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from postflow.errors import PostFlowError
from postflow.language import _, spoken
from postflow.media import picture
from postflow.servers import PROOF, proof

from . import actions, chart, clip, listing, live
from .door import A_WEEK, COOKIE, Door, Handler, Role, add_headers
from .listing import Asked
from .rendering import templates
from .studios import PageStudio

HERE = Path(__file__).parent
HOST = "127.0.0.1"
# Bytes. No form of ours is longer.
LONGEST_FORM = 64_000
# Seconds that a page that is open may hold up the end.
CLOSING = 0.5

log = logging.getLogger("postflow.page")
# A request that is none is nobody's trouble, and no traceback on the terminal of `up`.
log.addFilter(lambda record: not _is_no_request(record.exc_info))


def listening(port: int) -> socket.socket:
    """A socket that listens on loopback; at any port where another program has that one."""
    try:
        return socket.create_server((HOST, port))
    except OSError:
        return socket.create_server((HOST, 0))


@asynccontextmanager
async def served(page: Page, listener: socket.socket) -> AsyncIterator[None]:
    """The page is there while the `async with` lasts. No request is logged: addresses of links
    and what people search are nobody's business.
    """
    runner = web.AppRunner(
        page.app(), access_log=None, logger=log, shutdown_timeout=CLOSING, handler_cancellation=True
    )
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()


def _is_no_request(raised: Any) -> bool:
    return bool(raised) and isinstance(raised[1], HttpProcessingError)


class Page:
    """`studios` by name. `prefect`: where runs are seen, if anywhere."""

    def __init__(
        self, studios: Sequence[PageStudio], *, password: str, reading: str, prefect: str | None
    ) -> None:
        self._studios = {each.name: each for each in studios}
        self._password = password
        self._door = Door(password, reading)
        self._templates = templates(prefect, list(self._studios))
        self._charts: dict[str, tuple[datetime, chart.Chart]] = {}

    def app(self) -> web.Application:
        app = web.Application(
            client_max_size=LONGEST_FORM,
            middlewares=[self._door.guard, self._speak, self._say_faults],
        )
        app.on_response_prepare.append(add_headers)
        studio, clip = "/studio/{studio}", r"/studio/{studio}/clip/{clip:\d{1,18}}"
        app.add_routes(
            [
                web.get("/", self._front),
                web.get(PROOF, self._prove),
                web.static("/static", HERE / "static"),
                web.get("/sign-in", self._ask_password),
                web.post("/sign-in", self._sign_in),
                web.post("/sign-out", self._sign_out),
                web.get(f"{studio}/", self._board),
                web.get(f"{studio}/live", self._board),
                web.post(f"{studio}/act", self._act),
                web.get(clip, self._clip),
                web.get(f"{clip}/live", self._clip),
                web.get(f"{clip}/picture", self._picture),
                web.get(f"{clip}/meant", self._meant),
                web.post(f"{clip}/deliver", self._deliver),
            ]
        )
        return app

    @web.middleware
    async def _say_faults(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What is foreseeable, as a ledger that is away, is told with its remedy; an address that
        leads nowhere, on a page that leads back.
        """
        try:
            return await handler(request)
        except web.HTTPClientError as error:
            if _asks_plainly(request):
                raise
            said = actions.Said(name=error.text or error.reason, text="", done=False)
            return self._page("said.html", status=error.status, said=said, back="/")
        except PostFlowError as error:
            if _asks_plainly(request):
                return web.json_response({"name": "", "text": " ".join(error.told), "done": False})
            return self._page("trouble.html", status=503, error=error)

    @web.middleware
    async def _speak(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """In the studio's language; before somebody has chosen one, in the first's."""
        first = next(iter(self._studios.values()))
        studio = self._studios.get(request.match_info.get("studio", ""), first)
        with spoken(studio.language):
            return await handler(request)

    async def _prove(self, request: web.Request) -> web.Response:
        """To whoever is about to send people here; see `postflow.servers`."""
        server = "{}:{}".format(*request.get_extra_info("sockname"))
        return web.Response(text=proof(self._password, server, request.query.get("question", "")))

    async def _ask_password(self, _request: web.Request) -> web.Response:
        return self._page("sign_in.html", wrong=False)

    async def _sign_in(self, request: web.Request) -> web.Response:
        role = self._door.role_for(str((await request.post()).get("password", "")))
        if role is None:
            return self._page("sign_in.html", status=403, wrong=True)
        answer = web.Response(status=303, headers={"Location": "/"})
        session = self._door.session(role)
        answer.set_cookie(COOKIE, session, max_age=A_WEEK, httponly=True, samesite="Strict")
        return answer

    async def _sign_out(self, request: web.Request) -> web.Response:
        answer = web.Response(status=303, headers={"Location": "/sign-in"})
        answer.del_cookie(COOKIE, httponly=True, samesite="Strict")
        return answer

    async def _front(self, request: web.Request) -> web.Response:
        await self._door.demand(request)
        raise web.HTTPSeeOther(f"/studio/{next(iter(self._studios))}/")

    async def _board(self, request: web.Request) -> web.StreamResponse:
        role = await self._door.demand(request)
        studio, asked = self._studio(request), Asked.of(request.query)

        async def read() -> dict[str, Any]:
            return {"asked": asked, "board": await studio.read(listing.read, studio, asked)}

        return await self._seen("board", request, role, studio, read, chart=self._chart)

    async def _seen(
        self,
        name: str,
        request: web.Request,
        role: Role,
        studio: PageStudio,
        read: Callable[[], Awaitable[dict[str, Any]]],
        **once: Callable[[PageStudio], Awaitable[Any]],
    ) -> web.StreamResponse:
        """The page, with what it shows only `once`; at `live`, its part that changes."""
        if not request.path.endswith("/live"):
            more = {each: await call(studio) for each, call in once.items()}
            return self._page(f"{name}.html", request, role, **await read(), **more)

        async def render() -> str:
            return self._html(f"{name}_live.html", request, role, **await read())

        return await live.tell(request, lambda: studio.read(listing.pulse, studio), render)

    async def _act(self, request: web.Request) -> web.Response:
        await self._door.demand(request, Role.ACT)
        studio, form = self._studio(request), await request.post()
        target = actions.target_in(form)
        if target is None:
            raise web.HTTPBadRequest(text=_("This form names no clip."))
        action = str(form.get("action", ""))
        said = await studio.read(actions.act, studio, action, target)
        if said is None:
            raise web.HTTPNotFound(text=_("There is no such clip."))
        return self._said(request, said)

    async def _clip(self, request: web.Request) -> web.StreamResponse:
        role, studio, story = await self._story(request)

        async def read() -> dict[str, Any]:
            now = await studio.read(clip.read, studio, int(request.match_info["clip"])) or story
            return {"story": now, **clip.proposal(studio, now.entry.name)}

        return await self._seen("clip", request, role, studio, read)

    async def _story(self, request: web.Request) -> tuple[Role, PageStudio, clip.Story]:
        role = await self._door.demand(request)
        studio = self._studio(request)
        story = await studio.read(clip.read, studio, int(request.match_info["clip"]))
        if story is None:
            raise web.HTTPNotFound(text=_("There is no such clip."))
        return role, studio, story

    async def _picture(self, request: web.Request) -> web.Response:
        _role, _studio, story = await self._story(request)
        assert story.entry.clip is not None
        jpeg = await asyncio.to_thread(picture.load, story.entry.clip.revision)
        if jpeg is None:
            raise web.HTTPNotFound
        kept = {"Cache-Control": "private, max-age=86400, immutable"}
        return web.Response(body=jpeg, content_type="image/jpeg", headers=kept)

    async def _meant(self, request: web.Request) -> web.Response:
        """Where it would go by the values of the form, before it is sent."""
        role, studio, story = await self._story(request)
        sequence, shot = (request.query.get(name, "") for name in ("sequence", "shot"))
        said = clip.meant(studio, story.entry.name, sequence, shot)
        html = self._html("meant.html", request, role, meant=said)
        return web.Response(text=html, content_type="text/html")

    async def _deliver(self, request: web.Request) -> web.Response:
        await self._door.demand(request, Role.ACT)
        _role, studio, story = await self._story(request)
        form, entry = await request.post(), story.entry
        sequence, shot = (str(form.get(name, "")) for name in ("sequence", "shot"))
        said = clip.meant(studio, entry.name, sequence, shot)
        if said.goes is None:
            told = f"{said.why} {said.hint or ''}".strip()
            return self._said(request, actions.Said(name=entry.name, text=told, done=False))
        assert entry.clip is not None
        path = await studio.read(actions.path_of, studio, entry.clip.id)
        assert path is not None
        await studio.deliver(path, said.sequence or None, said.shot or None)
        text = _("is handed over; it is on its way within seconds.")
        return self._said(request, actions.Said(name=entry.name, text=text))

    def _said(self, request: web.Request, said: actions.Said) -> web.Response:
        """Plain for the page's script, which shows it where somebody is, else a page."""
        if _asks_plainly(request):
            return web.json_response(said.model_dump())
        return self._page("said.html", said=said, back=f"/studio/{request.match_info['studio']}/")

    def _studio(self, request: web.Request) -> PageStudio:
        found = self._studios.get(request.match_info["studio"])
        if found is None:
            raise web.HTTPNotFound(text=_("There is no such studio."))
        return found

    async def _chart(self, studio: PageStudio) -> chart.Chart:
        """At most a minute old."""
        now = datetime.now().astimezone()
        made, found = self._charts.get(studio.name, (None, None))
        if made is None or found is None or (now - made).total_seconds() > 60:
            found = await studio.read(chart.read, studio.name)
            self._charts[studio.name] = now, found
        return found

    def _page(
        self,
        template: str,
        request: web.Request | None = None,
        role: Role | None = None,
        *,
        status: int = 200,
        **shown: Any,
    ) -> web.Response:
        html = self._html(template, request, role, **shown)
        return web.Response(text=html, content_type="text/html", status=status)

    def _html(
        self, template: str, request: web.Request | None, role: Role | None, **shown: Any
    ) -> str:
        about: Mapping[str, Any] = {}
        if request is not None:
            about = {
                "studio": request.match_info["studio"],
                "token": self._door.token(request.cookies.get(COOKIE, "")),
                "query": request.query_string,
            }
        may_act = role is Role.ACT
        return self._templates.get_template(template).render(
            **about, signed_in=role is not None, may_act=may_act, **shown
        )


def _asks_plainly(request: web.Request) -> bool:
    """Does the page's script ask, which wants JSON and no page?"""
    return "application/json" in request.headers.get("Accept", "")
