"""Prefect's server as it is, but for the addresses that it answers with 500."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from aiohttp import web

from postflow.sandbox.running import LoopThread

HOP_BY_HOP = frozenset({"connection", "content-encoding", "content-length", "transfer-encoding"})
Socket = aiohttp.ClientWebSocketResponse | web.WebSocketResponse


@contextmanager
def reluctant(api: str, refused: str) -> Iterator[Reluctant]:
    """An API that passes everything on to `api` but what begins with `refused`.

    In a thread of its own: Prefect asks some things without letting its loop go on meanwhile.
    """
    server = Reluctant(api.removesuffix("/api"), refused)
    with LoopThread("reluctant Prefect") as loop:
        loop.run(server.open())
        try:
            yield server
        finally:
            loop.run(server.close())


class Reluctant:
    """Its address, and how often it has refused."""

    def __init__(self, behind: str, refused: str) -> None:
        self.api = ""
        self.refusals = 0
        self._behind = behind
        self._refused = refused

    async def open(self) -> None:
        self._client = aiohttp.ClientSession()
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.api = f"http://127.0.0.1:{self._runner.addresses[0][1]}/api"

    async def close(self) -> None:
        await self._runner.cleanup()
        await self._client.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith(self._refused):
            self.refusals += 1
            return web.Response(status=500)
        url = self._behind + request.path_qs
        if request.headers.get("Upgrade"):
            return await _joined(request, self._client, url)
        headers = {key: request.headers[key] for key in request.headers if key != "Host"}
        body = await request.read()
        async with self._client.request(request.method, url, headers=headers, data=body) as passed:
            kept = {k: v for k, v in passed.headers.items() if k.lower() not in HOP_BY_HOP}
            return web.Response(status=passed.status, headers=kept, body=await passed.read())


async def _joined(
    request: web.Request, client: aiohttp.ClientSession, url: str
) -> web.WebSocketResponse:
    """Two web sockets, each telling the other what it hears."""
    protocols = request.headers.get("Sec-WebSocket-Protocol", "").split(", ")
    near = web.WebSocketResponse(protocols=protocols)
    await near.prepare(request)
    async with client.ws_connect(url, protocols=protocols) as far:
        pumps = [asyncio.create_task(_pump(*pair)) for pair in ((near, far), (far, near))]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
    await near.close()
    return near


async def _pump(source: Socket, sink: Socket) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.TEXT:
            await sink.send_str(message.data)
        elif message.type is aiohttp.WSMsgType.BINARY:
            await sink.send_bytes(message.data)
