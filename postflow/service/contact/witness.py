"""A web server that offers a clip in several ways, and notes who asks for it how."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from pydantic import SecretStr

from postflow.errors import Fatal
from postflow.outlet.probe import BROWSER, PLAIN
from postflow.outlet.server import http_log

HOST = "127.0.0.1"
TYPE = "video/quicktime"


@dataclass
class Seen:
    """One request. Times as `time.monotonic` gives them; `ended` once nothing more is sent."""

    method: str
    range: str
    user_agent: str
    at: float
    ended: float = 0.0


@dataclass
class Source:
    """One address, and who came there."""

    path: SecretStr
    answer: Answer
    seen: list[Seen] = field(default_factory=list)

    def gets(self) -> list[Seen]:
        return [each for each in self.seen if each.method == "GET"]


Answer = Callable[[web.Request, Path], Awaitable[web.StreamResponse]]


class _Whole(web.FileResponse):
    """Sent after its handler has returned it."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        try:
            return await super().prepare(request)
        finally:
            request["seen"].ended = time.monotonic()


async def whole(request: web.Request, clip: Path) -> web.StreamResponse:
    """As it should be: HEAD, ranges and validators included."""
    return _Whole(clip, headers={"Content-Type": TYPE})


async def failing(request: web.Request, clip: Path) -> web.StreamResponse:
    """There by HEAD, and never to be had."""
    if request.method == "HEAD":
        return await whole(request, clip)
    return web.Response(status=503)


async def silent(request: web.Request, clip: Path) -> web.StreamResponse:
    """Half of the clip, then nothing until the other side hangs up."""
    if request.method == "HEAD":
        return await whole(request, clip)
    body = await asyncio.to_thread(clip.read_bytes)
    response = await _head(request, len(body))
    await response.write(body[: len(body) // 2])
    await asyncio.Event().wait()  # which the other side's hanging up cancels
    return response


async def unsized(request: web.Request, clip: Path) -> web.StreamResponse:
    """Whole, but without saying how long it is."""
    response = await _head(request, None)
    if request.method == "GET":
        await response.write(await asyncio.to_thread(clip.read_bytes))
    return response


async def huge(request: web.Request, _clip: Path, *, size: int) -> web.StreamResponse:
    """Said to be as long as that; the connection ends before the first byte."""
    response = await _head(request, size)
    if request.method == "GET" and request.transport:
        request.transport.abort()
    return response


def moved(to: Source) -> Answer:
    async def redirect(_request: web.Request, _clip: Path) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": f"..{to.path.get_secret_value()}"})

    return redirect


async def _head(request: web.Request, size: int | None) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": TYPE})
    if size is None:
        response.enable_chunked_encoding()
    else:
        response.content_length = size
    await response.prepare(request)
    return response


class Witness:
    """`async with Witness(clip) as witness:`, on loopback. `port` 0 takes a free one."""

    def __init__(self, clip: Path, *, port: int = 0) -> None:
        self._clip = clip
        self._port = port
        self._sources: dict[str, Source] = {}
        self._stack = AsyncExitStack()
        self.url = ""

    async def __aenter__(self) -> Witness:
        """Raises Fatal `contact.port`."""
        app = web.Application()
        app.router.add_get("/{token}/{name}", self._answer)
        runner = web.AppRunner(
            app, access_log=None, logger=http_log, handler_cancellation=True, shutdown_timeout=0.1
        )
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, HOST, self._port)
        try:
            await site.start()
        except OSError as error:
            await self._stack.aclose()
            raise Fatal(
                f"Port {self._port} is in use, so nothing can be offered to Frame.io.",
                hint="Stop `postflow up` while PostFlow meets Frame.io for the first time.",
                code="contact.port",
            ) from error
        self.url = f"http://{HOST}:{runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def offer(self, answer: Answer = whole) -> Source:
        token = secrets.token_urlsafe(32)
        source = Source(SecretStr(f"/{token}/{self._clip.name}"), answer)
        self._sources[token] = source
        return source

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        source = self._sources.get(request.match_info["token"])
        if source is None:
            raise web.HTTPNotFound
        agent = request.headers.get("User-Agent", "")
        seen = Seen(request.method, request.headers.get("Range", ""), agent, time.monotonic())
        if agent not in (PLAIN, BROWSER):  # our own look at the public address
            source.seen.append(seen)
        request["seen"] = seen
        try:
            return await source.answer(request, self._clip)
        except ConnectionError:  # who asked is gone
            return web.Response()
        finally:
            seen.ended = time.monotonic()
