"""Serves files that are on offer, on loopback, from a thread and an event loop of its own.

A slow disk blocks sendfile(2), and so this loop; nobody else's.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError

from postflow.bandwidth import Bandwidth
from postflow.errors import Fatal, printable
from postflow.media import volume
from postflow.models import MediaFile

from .connection_limit import Connections, Server, Shortage
from .http_handler import Answers, Request
from .loop_thread import LoopThread, finish
from .served_files import Limits, Registry, ServedFile

HOST = "127.0.0.1"
KEEP_ALIVE = 75.0
CLOSING = 0.5
QUEUE = 4096
WITHDRAWAL = 5.0

log = logging.getLogger(__name__)
http_log = logging.getLogger("postflow.outlet.http")


def _no_broken_bodies(record: logging.LogRecord) -> bool:
    """Nobody reads what comes along with a GET, so that it is nobody's trouble."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, RequestPayloadError)


http_log.addFilter(_no_broken_bodies)


class MediaServer:
    """`with MediaServer() as server:` opens and closes it; both take milliseconds."""

    def __init__(
        self, *, port: int = 0, limits: Limits | None = None, bandwidth: Bandwidth | None = None
    ) -> None:
        """`port` 0 takes a free one."""
        self._port = port
        self._limits = limits or Limits()
        self._bandwidth = bandwidth or Bandwidth()
        self._registry = Registry()
        self._thread = LoopThread("postflow media server", self._listening)
        self.url = ""

    def __enter__(self) -> MediaServer:
        """Raises Fatal when the port cannot be had."""
        self.url = self._thread.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.close()

    async def publish(self, media: MediaFile) -> ServedFile:
        """Put a file on offer. Raises Retry if it is no longer what `media` says, or hangs."""
        opening = asyncio.create_task(
            volume.ask(lambda: ServedFile(media, self._limits, self._bandwidth))
        )
        try:
            file = await volume.in_time(asyncio.shield(opening), media.path)
        except BaseException:
            opening.add_done_callback(_close_unwanted)
            raise
        self._registry.add(file)
        return file

    async def withdraw(self, file: ServedFile) -> None:
        """Answer 404 from now on and hang up on those still fetching."""
        if self._registry.remove(file):
            await finish(self._close(file))

    async def _close(self, file: ServedFile) -> None:
        try:
            await asyncio.wait_for(self._thread.run(file.close()), WITHDRAWAL)
        except TimeoutError:
            log.warning(
                "The volume of %s does not answer; its transfers are abandoned.",
                printable(file.name),
            )

    async def quiet(self, file: ServedFile) -> None:
        """Return when nobody is fetching `file`."""
        await self._thread.run(file.quiet())

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(Shortage())
        connections = Connections(self._limits)
        server = Server(
            Answers(self._registry, self._limits, connections),
            connections=connections,
            request_factory=partial(Request, loop=loop),
            access_log=None,
            logger=http_log,
            keepalive_timeout=KEEP_ALIVE,
            lingering_time=CLOSING,
        )
        runner = web.ServerRunner(server, shutdown_timeout=CLOSING)
        await runner.setup()
        try:
            yield await self._listen(runner, connections.at_once)
        finally:
            for file in self._registry:
                self._registry.remove(file)
                await file.close()
            await runner.cleanup()

    async def _listen(self, runner: web.ServerRunner, at_once: int) -> str:
        """asyncio takes `at_once` connections before it serves any; the kernel keeps the others."""
        try:
            listener = socket.create_server((HOST, self._port))
        except OSError as error:
            raise Fatal(
                "The media server cannot listen on port {port}.",
                hint="Another program has it: end that one, or choose another port in the "
                "studio's tunnel settings.",
                code="outlet.port",
                port=self._port,
            ) from error
        await web.SockSite(runner, listener, backlog=at_once).start()
        listener.listen(QUEUE)
        return f"http://{HOST}:{listener.getsockname()[1]}"


def _close_unwanted(opening: asyncio.Task[ServedFile]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().pinned.close()
