"""What a person sees: the sandbox's front page, a project's tree, a clip that plays."""

from __future__ import annotations

import colorsys
import re
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, select_autoescape
from markupsafe import Markup, escape

from postflow.sandbox.frameio.assets import Asset, File, Folder, VersionStack
from postflow.sandbox.frameio.studio import Project

from .discord.threads import Thread
from .discord.uploads import outside
from .frameio import shapes
from .share_pages import SharePages

if TYPE_CHECKING:
    from .world import World

TEMPLATES = Path(__file__).parent / "templates"
PLAYABLE = ("video/", "audio/", "image/png", "image/jpeg", "image/gif", "image/webp")
BROWSERS_CALL_IT = {"video/quicktime": "video/mp4"}
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
MEDIA_HEADERS = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}
PAGE_HEADERS = {"Content-Security-Policy": PAGE_POLICY, "X-Content-Type-Options": "nosniff"}
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_LINK = re.compile(r"(?<!\\)\[((?:\\.|[^\[\]\\])+)\]\((https?://[^\s()]+)\)")
_ROLE = re.compile(r"<@&([0-9]{1,20})>")
WIDTH, HEIGHT = 320, 180


class Pages:
    """Handlers of pages and media. Names of clips are hostile: templates escape everything."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=select_autoescape(default=True, default_for_string=True),
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "size": readable_size,
            "discord": shown,
            "discord_link": linked,
        }

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.front, name="page.front"),
            web.get("/project/{project_id}/", self.project, name="page.project"),
            web.get("/project/{project_id}/view/{asset_id}", self.view, name="page.view"),
            web.get("/media/{asset_id}", self.media, name="page.media"),
            web.get("/media/{asset_id}/{name}", self.media, name="page.download"),
            web.get("/thumbnails/{asset_id}.png", self.thumbnail, name="page.thumbnail"),
            *SharePages(self._world, self._page).routes(),
            web.get("/signed-in", self.signed_in, name="page.signed"),
            web.get("/style.css", self.style, name="page.style"),
        ]

    async def front(self, _request: web.Request) -> web.Response:
        return self._page(
            "front.html",
            addresses=_harmless(self._world.describe()),
            assets=shapes.file_rows(self._world),
            places=_places(self._world),
            tags=self._world.discord.threads.tags,
            projects=list(self._world.studio.projects.values()),
        )

    async def project(self, request: web.Request) -> web.Response:
        return self._page("project.html", **self._tree(self._project(request)))

    async def view(self, request: web.Request) -> web.Response:
        project = self._project(request)
        asset = self._asset(request)
        if isinstance(asset, Folder):
            raise web.HTTPFound(f"/project/{project.id}/")
        if isinstance(asset, VersionStack):
            asset = self._world.tree.versions(asset)[-1]
        if not isinstance(asset, File) or asset.project_id != project.id:
            raise web.HTTPNotFound
        folders = [folder.name for folder in self._world.tree.folders_above(asset)[1:]]
        return self._page(
            "view.html",
            clip=asset,
            folders=folders,
            playable=self._playable(asset),
            versions=self._siblings(asset),
            **self._tree(project),
        )

    async def signed_in(self, request: web.Request) -> web.Response:
        return self._page("signed_in.html", error=request.query.get("error"))

    async def style(self, _request: web.Request) -> web.Response:
        text = (TEMPLATES / "style.css").read_text(encoding="utf-8")
        return web.Response(text=text, content_type="text/css")

    async def media(self, request: web.Request) -> web.StreamResponse:
        """The stored bytes, with Range; what a browser could run goes out as a download."""
        asset = self._asset(request)
        path = self._world.blobs.path(asset.id)
        if not isinstance(asset, File) or not path.exists():
            raise web.HTTPNotFound
        playable = self._playable(asset) and "name" not in request.match_info
        kind = (asset.media_type or "") if playable else "application/octet-stream"
        kind = BROWSERS_CALL_IT.get(kind, kind)
        return web.FileResponse(path, headers=MEDIA_HEADERS | {"Content-Type": kind})

    async def thumbnail(self, request: web.Request) -> web.Response:
        asset_id = self._asset(request).id
        return web.Response(body=thumbnail(asset_id), content_type="image/png")

    def _page(self, template: str, **facts: Any) -> web.Response:
        text = self._templates.get_template(template).render(facts)
        return web.Response(text=text, content_type="text/html", headers=PAGE_HEADERS)

    def _project(self, request: web.Request) -> Project:
        project = self._world.studio.projects.get(request.match_info["project_id"])
        if project is None:
            raise web.HTTPNotFound
        return project

    def _asset(self, request: web.Request) -> Asset:
        asset = self._world.tree.find(request.match_info["asset_id"])
        if asset is None:
            raise web.HTTPNotFound
        return asset

    def _playable(self, file: File) -> bool:
        kind = file.media_type or ""
        return kind.startswith(PLAYABLE) and self._world.blobs.path(file.id).exists()

    def _siblings(self, file: File) -> list[File]:
        """All versions of the stack, newest first; none for a file on no stack."""
        parent = self._world.tree.parent(file)
        stacked = isinstance(parent, VersionStack)
        return self._world.tree.versions(parent)[::-1] if parent and stacked else []

    def _tree(self, project: Project) -> dict[str, Any]:
        tree = self._world.tree
        root = tree.find(project.root_folder_id)
        return {
            "project": project,
            "children": lambda asset: sorted(tree.children(asset), key=_reading_order),
            "root": root,
        }


def _places(world: World) -> list[tuple[Thread | None, list[dict[str, Any]]]]:
    """What Discord shows: the channel itself, then each thread, with its messages."""
    threads = world.discord.threads.known
    by_place: dict[str | None, list[dict[str, Any]]] = {None: []}
    for message in world.messages():
        place = message["channel_id"] if message["channel_id"] in threads else None
        by_place.setdefault(place, []).append(message | {"attachments": outside(message)})
    return [(threads[place] if place else None, said) for place, said in by_place.items()]


def _reading_order(asset: Asset) -> tuple[bool, str]:
    return asset.kind != "folder", asset.name.casefold()


def _harmless(description: dict[str, Any]) -> dict[str, Any]:
    secrets = ("client_secret", "ngrok_authtoken", "discord_webhook_url")
    return {key: value for key, value in description.items() if key not in secrets}


def readable_size(size: int) -> str:
    """Decimal units, as Frame.io shows sizes."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def shown(text: str | None) -> Markup:
    """HTML of one text of a message; names of clips are hostile."""
    if called := _ROLE.fullmatch(text or ""):
        return Markup('<span class="role">@{}</span>').format(called[1])
    parts: list[Markup] = []
    end = 0
    for link in _LINK.finditer(text or ""):
        parts.append(_plain((text or "")[end : link.start()]))
        parts.append(linked(link[1], link[2]))
        end = link.end()
    return Markup("").join([*parts, _plain((text or "")[end:])])


def linked(text: str | None, url: str | None) -> Markup:
    """An embed's title leads to its URL, where it has one."""
    if not url or not url.startswith(("http://", "https://")):
        return shown(text)
    return Markup('<a href="{}">{}</a>').format(url, _plain(text or ""))


def _plain(text: str) -> Markup:
    return escape(_ESCAPED.sub(r"\1", text))


def thumbnail(asset_id: str) -> bytes:
    """The same picture each time."""
    hue = zlib.crc32(asset_id.encode()) % 360 / 360
    rows = b"".join(_row(hue, 0.55 - 0.4 * line / HEIGHT) for line in range(HEIGHT))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _row(hue: float, light: float) -> bytes:
    red, green, blue = colorsys.hls_to_rgb(hue, light, 0.45)
    return b"\0" + bytes(round(part * 255) for part in (red, green, blue)) * WIDTH


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
