"""What somebody with a share's link sees, without signing in to Frame.io."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from hmac import compare_digest
from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import web

from postflow.sandbox.frameio.assets import Asset, File
from postflow.sandbox.frameio.shares import Activity, ActivityKind, Share, Viewer

if TYPE_CHECKING:
    from .world import World

COOKIE = "viewer"


class SharePages:
    """A share, its assets, and the question who is there. `page` renders a template."""

    def __init__(self, world: World, page: Callable[..., web.Response]) -> None:
        self._world = world
        self._page = page
        self._viewers: dict[tuple[str, str], Viewer] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/s/{word}", self.share, name="page.share"),
            web.post("/s/{word}", self.enter, name="page.enter"),
            web.get("/s/{word}/{asset_id}", self.asset, name="page.shared"),
            web.get("/s/{word}/{asset_id}/download", self.download, name="page.take"),
        ]

    async def share(self, request: web.Request) -> web.Response:
        share = self._open(request)
        viewer = self._viewer(request, share)
        if viewer is None:
            return self._ask(share)
        self._note(share, "share_viewed", viewer)
        clips = [it for it in share.assets(self._world.tree) if isinstance(it, File)]
        answer = self._page("share.html", share=share, clips=clips)
        return self._remember(answer, share, viewer)

    async def enter(self, request: web.Request) -> web.Response:
        """The passphrase, and for a secure share the address of somebody who is invited."""
        share, form = self._open(request), await request.post()
        email = str(form.get("email", ""))
        known = next((it for it in share.reviewers if it.email == email), None)
        given, wanted = str(form.get("passphrase", "")), share.settings.get("passphrase") or ""
        is_right = compare_digest(given.encode(), wanted.encode())
        if not is_right or (share.is_secure and known is None):
            return self._ask(share, refused=True)
        there = web.Response(status=303, headers={"Location": f"/s/{share.word}"})
        return self._remember(there, share, known or Viewer())

    async def asset(self, request: web.Request) -> web.Response:
        share, viewer, clip = self._inside(request)
        self._note(share, "asset_viewed", viewer, clip)
        return self._page("shared.html", share=share, clip=clip)

    async def download(self, request: web.Request) -> web.Response:
        share, viewer, clip = self._inside(request)
        if not share.settings["downloading_enabled"]:
            raise web.HTTPNotFound
        self._note(share, "asset_downloaded", viewer, clip)
        raise web.HTTPFound(f"/media/{clip.id}/{quote(clip.name, safe='')}")

    def _open(self, request: web.Request) -> Share:
        word = request.match_info["word"]
        share = next((it for it in self._world.shares.values() if it.word == word), None)
        if share is None or not share.settings["enabled"]:
            raise web.HTTPNotFound
        if share.is_expired:
            raise web.HTTPGone(text="This link has expired.")
        return share

    def _inside(self, request: web.Request) -> tuple[Share, Viewer, File]:
        share = self._open(request)
        viewer = self._viewer(request, share)
        wanted = request.match_info["asset_id"]
        clips = (it for it in share.assets(self._world.tree) if isinstance(it, File))
        clip = next((it for it in clips if it.id == wanted), None)
        if viewer is None or clip is None:
            raise web.HTTPNotFound
        return share, viewer, clip

    def _viewer(self, request: web.Request, share: Share) -> Viewer | None:
        """Who has been let in before; of an open share anybody is. A guest removed is out."""
        viewer = self._viewers.get((share.id, request.cookies.get(COOKIE, "")))
        if share.is_secure:
            return viewer if viewer in share.reviewers else None
        return viewer or (None if share.settings.get("passphrase") else Viewer())

    def _ask(self, share: Share, *, refused: bool = False) -> web.Response:
        answer = self._page("share_door.html", share=share, refused=refused)
        policy = answer.headers["Content-Security-Policy"]
        own = policy.replace("form-action 'none'", "form-action 'self'")
        answer.headers["Content-Security-Policy"] = own
        return answer

    def _remember(self, answer: web.Response, share: Share, viewer: Viewer) -> web.Response:
        key = secrets.token_urlsafe(18)
        self._viewers[share.id, key] = viewer
        answer.set_cookie(COOKIE, key, path=f"/s/{share.word}", httponly=True, samesite="Strict")
        return answer

    def _note(
        self, share: Share, kind: ActivityKind, viewer: Viewer, asset: Asset | None = None
    ) -> None:
        asset_id = asset.id if asset else None
        share.activities.append(Activity(kind=kind, viewer=viewer, asset_id=asset_id))
        if kind == "share_viewed":
            self._world.tell("share.viewed", share.id, share.project_id, self._world.studio.person)
