"""The control addresses under /sandbox: what is there, what happened, what shall go wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .faults import Faults
from .frameio import shapes

if TYPE_CHECKING:
    from .world import World

AT_EDGE = ("connect_delay", "cut", "free_plan", "interstitial", "quota_page", "rate")
AT_START = (
    "agent_refuse",
    "agent_hang",
    "agent_slow",
    "agent_offline",
    "agent_silent_exit",
    "agent_web_only",
    *AT_EDGE,
)
WHILE_RUNNING = (
    "agent_crash",
    "thrown_out",
    "new_address",
    "endpoint_gone",
    "drop",
    "noise",
    "grumble",
    "recover",
    *AT_EDGE,
)
EVERYWHERE = (
    "status",
    "rate_limited",
    "late_answer",
    "lost_answer",
    "reset",
    "delay",
    "token_expiry",
)
INGEST = ("upload_failed", "cut")
AT_PARTS = ("cut", "rate", "expired", "corrupt")
KINDS = frozenset((*AT_START, *WHILE_RUNNING, *EVERYWHERE, *INGEST, *AT_PARTS))
AGENT = ("agent", "edge")


class FaultOrder(BaseModel):
    """The body of `POST /sandbox/faults`; further keys are options of the fault."""

    model_config = ConfigDict(extra="allow")

    what: str
    where: str = "*"
    times: Annotated[int, Field(ge=1)] | None = 1
    skip: Annotated[int, Field(ge=0)] = 0


def arm(faults: Faults, order: FaultOrder) -> dict[str, Any]:
    """Arm a fault that is known. Raises ValueError with the known ones."""
    if order.what not in KINDS:
        raise ValueError(f"{order.what!r} is no fault; there are {', '.join(sorted(KINDS))}.")
    options = order.model_extra or {}
    faults.arm(order.what, order.where, times=order.times, skip=order.skip, **options)
    return order.model_dump()


def _told(report: Callable[[], Any]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def tell(_request: web.Request) -> web.Response:
        return web.json_response(report())

    return tell


class Control:
    """Handlers; what they change is the world's."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        world = self._world
        reports: dict[str, Callable[[], Any]] = {
            "assets": lambda: shapes.file_rows(world),
            "folders": lambda: shapes.folder_rows(world),
            "messages": world.messages,
            "requests": world.journal.entries,
            "faults": world.faults.armed,
            "switches": lambda: world.switches.model_dump(),
            "shares": world.share_rows,
        }
        return [
            web.get("/sandbox", _told(world.describe), name="sandbox.describe"),
            *(
                web.get(f"/sandbox/{name}", _told(report), name=f"sandbox.{name}")
                for name, report in reports.items()
            ),
            web.get("/sandbox/agent/faults", self.agent_faults, name="sandbox.agent"),
            web.patch("/sandbox/switches", self.turn, name="sandbox.turn"),
            web.post("/sandbox/faults", self.arm, name="sandbox.arm"),
            web.delete("/sandbox/faults", self.mend, name="sandbox.mend"),
            web.post("/sandbox/reset", self.reset, name="sandbox.reset"),
            web.patch("/sandbox/shares/{id}", self.change_share, name="sandbox.share"),
            web.delete("/sandbox/shares/{id}", self.delete_share, name="sandbox.unshare"),
            web.post("/sandbox/threads", self.open_thread, name="sandbox.open_thread"),
            web.patch("/sandbox/threads/{id}", self.change_thread, name="sandbox.thread"),
            web.delete("/sandbox/threads/{id}", self.delete_thread, name="sandbox.close_thread"),
        ]

    async def change_share(self, request: web.Request) -> web.Response:
        """As a person in Frame.io does: `{"enabled": …, "expiration": …}`, either or both."""
        share = self._world.shares.get(request.match_info["id"])
        if share is None:
            raise web.HTTPNotFound
        given = (await request.json()).items()
        share.settings |= {key: it for key, it in given if key in {"enabled", "expiration"}}
        return web.json_response(self._world.share_rows())

    async def delete_share(self, request: web.Request) -> web.Response:
        self._world.shares.pop(request.match_info["id"], None)
        return web.Response(status=204)

    async def turn(self, request: web.Request) -> web.Response:
        """`{"name": value, …}`."""
        try:
            self._world.turn(**await request.json())
        except ValueError as error:
            return web.json_response({"errors": [{"msg": str(error)}]}, status=422)
        return web.json_response(self._world.switches.model_dump())

    async def arm(self, request: web.Request) -> web.Response:
        try:
            order = FaultOrder.model_validate_json(await request.read())
            return web.json_response(arm(self._world.faults, order), status=201)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False, include_input=False)
            return web.json_response({"errors": problems}, status=422)
        except ValueError as error:
            return web.json_response({"errors": [{"msg": str(error)}]}, status=422)

    async def mend(self, request: web.Request) -> web.Response:
        self._world.faults.clear(request.query.get("where"))
        return web.json_response(self._world.faults.armed())

    async def reset(self, _request: web.Request) -> web.Response:
        await self._world.reset()
        return web.json_response(self._world.describe())

    async def open_thread(self, request: web.Request) -> web.Response:
        """As a person does in Discord: `{"name": …}`."""
        thread = self._world.discord.threads.open(str((await request.json())["name"]))
        return web.json_response(asdict(thread), status=201)

    async def change_thread(self, request: web.Request) -> web.Response:
        """`{"archived": …, "locked": …}`, either or both."""
        thread = self._world.discord.threads.known.get(request.match_info["id"])
        if thread is None:
            raise web.HTTPNotFound
        for name, value in (await request.json()).items():
            if name in {"archived", "locked"}:
                setattr(thread, name, bool(value))
        return web.json_response(asdict(thread))

    async def delete_thread(self, request: web.Request) -> web.Response:
        self._world.discord.threads.known.pop(request.match_info["id"], None)
        return web.Response(status=204)

    async def agent_faults(self, request: web.Request) -> web.Response:
        """The faults for the ngrok agent, handed over once: at its start, or while it runs."""
        kinds = WHILE_RUNNING if "running" in request.query else AT_START
        taken = [fault for place in AGENT for fault in self._world.faults.take_all(place, *kinds)]
        return web.json_response([{"what": fault.what, **fault.options} for fault in taken])
