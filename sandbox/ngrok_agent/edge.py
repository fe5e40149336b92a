"""The public side of one endpoint: a real listener that forwards to the upstream."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from postflow.sandbox.faults import Fault, Faults

from . import logfmt

CHUNK = 256 * 1024
HOP_BY_HOP = frozenset(
    [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)
NOT_COPIED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")

# Which HTTP status goes with which page is known for 3200 (404) and 8012 (502) only.
STATUS = {3200: 404, 8012: 502, 3004: 502, 725: 403, 726: 403, 727: 403, 702: 429, 6024: 200}


class Edge:
    """Forwards what reaches its port. `online` tells whether the agent has a session."""

    def __init__(
        self,
        upstream: str,
        *,
        faults: Faults,
        online: Callable[[], bool],
        free_plan: Callable[[], bool],
    ) -> None:
        self._upstream = upstream.rstrip("/")
        self._faults = faults
        self._online = online
        self._free_plan = free_plan
        self._busy: set[asyncio.BaseTransport | None] = set()
        self._client: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def open(self, port: int = 0) -> None:
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            skip_auto_headers=NOT_COPIED,
            auto_decompress=False,
            read_bufsize=CHUNK,
        )
        application = web.Application(client_max_size=0)
        application.router.add_route("*", "/{path:.*}", self._serve)
        application.on_response_prepare.append(_unsigned)
        self._runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        self.cut()
        if self._runner:
            await self._runner.cleanup()
        if self._client:
            await self._client.close()

    async def move(self) -> None:
        """Appear under another address; the old one is gone."""
        await self.close()
        await self.open()

    def cut(self) -> None:
        """Break every transfer under way, as a lost session does."""
        for transport in self._busy:
            _abort(transport)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        connection = request.transport
        self._busy.add(connection)
        try:
            page = self._page(request)
            return page if page is not None else await self._forward(request)
        finally:
            self._busy.discard(connection)

    def _page(self, request: web.Request) -> web.Response | None:
        """The edge's own answer, where it does not let the request through."""
        if not self._online():
            return _edge_page(3200)
        if fault := self._faults.take("edge", "quota_page"):
            return _edge_page(int(fault.options.get("code", 725)))
        warns = self._free_plan() and "mozilla" in request.headers.get("User-Agent", "").lower()
        if warns or self._faults.take("edge", "interstitial"):
            return _edge_page(6024)
        return None

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        assert self._client is not None
        logfmt.info("join connections", obj="join", r=request.remote)
        try:
            answer = await self._client.request(
                request.method,
                self._upstream + request.raw_path,
                headers=_forwarded_headers(request),
                data=request.content if request.body_exists else None,
                allow_redirects=False,
            )
        except aiohttp.ClientConnectorError:
            return _edge_page(8012)
        except aiohttp.ClientError:
            return _edge_page(3004)
        try:
            return await self._relay(request, answer)
        finally:
            answer.close()

    async def _relay(
        self, request: web.Request, answer: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        response = web.StreamResponse(
            status=answer.status, reason=answer.reason, headers=_end_to_end(answer.headers)
        )
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        with contextlib.suppress(ConnectionResetError):
            try:
                await self._pump(request, answer, response)
                await response.write_eof()
            except (aiohttp.ClientError, TimeoutError):
                _abort(request.transport)
        return response

    async def _pump(
        self, request: web.Request, answer: aiohttp.ClientResponse, response: web.StreamResponse
    ) -> None:
        cut = self._faults.take("edge", "cut")
        rate = self._faults.take("edge", "rate")
        sent = 0
        async for chunk in answer.content.iter_chunked(CHUNK if rate is None else 8192):
            if cut is not None and sent + len(chunk) > int(cut.options.get("after_bytes", 0)):
                await response.write(chunk[: int(cut.options.get("after_bytes", 0)) - sent])
                _hang_up(request)
                return
            await response.write(chunk)
            sent += len(chunk)
            await _paced(rate, len(chunk))


async def _paced(rate: Fault | None, size: int) -> None:
    if rate is not None:
        await asyncio.sleep(size / float(rate.options.get("bytes_per_second", 64 * 1024)))


async def _unsigned(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.pop("Server", None)


def _abort(transport: asyncio.BaseTransport | None) -> None:
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()


def _hang_up(request: web.Request) -> None:
    """Close in the middle, once what was written has left."""
    if request.transport is not None:
        request.transport.close()


def _edge_page(code: int) -> web.Response:
    return web.Response(
        status=STATUS.get(code, 403),
        text=f"<!DOCTYPE html><html><body>ngrok: ERR_NGROK_{code}</body></html>\n",
        content_type="text/html",
        headers={"ngrok-error-code": f"ERR_NGROK_{code}"},
    )


def _end_to_end(headers: CIMultiDict[str] | aiohttp.typedefs.LooseHeaders) -> CIMultiDict[str]:
    kept = CIMultiDict(headers)
    named = {name.strip().lower() for name in kept.get("Connection", "").split(",")}
    for name in set(kept):
        # Only the edge itself may say that the edge failed.
        if name.lower() in HOP_BY_HOP | named or name.lower() == "ngrok-error-code":
            kept.popall(name, None)
    return kept


def _forwarded_headers(request: web.Request) -> CIMultiDict[str]:
    headers = _end_to_end(CIMultiDict(request.headers))
    before = headers.get("X-Forwarded-For")
    peer = request.remote or "127.0.0.1"
    headers["X-Forwarded-For"] = f"{before}, {peer}" if before else peer
    headers["X-Forwarded-Proto"] = request.scheme
    headers["X-Forwarded-Host"] = request.host
    return headers
