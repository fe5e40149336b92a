"""At most so many connections to the media server; those who ask for nothing are disconnected.

A stranger who knows no file's address may open as many connections as he likes: each costs a
descriptor of the process that also reads clips, the ledger and Prefect.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from .served_files import Limits

try:
    import resource
except ImportError:  # Windows, which has no such limit
    resource = None  # type: ignore[assignment]

# More than any studio needs, and few enough for whoever goes through all of them.
MOST_DESCRIPTORS = 65_536
# Of the descriptors, one in so many may be a stranger's.
SHARE = 4
AT_ONCE = 128
WARN_EVERY = 60.0
ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

log = logging.getLogger(__name__)


class Connections:
    """In the server's thread only. At most `most`, but for those that are fetching a file."""

    def __init__(self, limits: Limits) -> None:
        self.most = min(limits.connections, descriptors() // SHARE)
        # asyncio needs four turns from taking a connection to closing it, if it is one too many.
        self.at_once = min(AT_ONCE, max(1, self.most // 4))
        self._silence = limits.silence
        self._open = 0
        # Who fetches nothing, the one that has done so for longest first.
        self._silent: dict[asyncio.BaseTransport, asyncio.TimerHandle | None] = {}

    def opened(self, transport: asyncio.Transport) -> None:
        """It has to ask for something soon, and sooner where many wait: the oldest gives way."""
        self._open += 1
        loop = asyncio.get_running_loop()
        self._silent[transport] = loop.call_later(self._silence, self._drop, transport)
        if self._open > self.most and (oldest := next(iter(self._silent))) is not transport:
            self._drop(oldest)

    def closed(self, transport: asyncio.BaseTransport) -> None:
        self._open -= 1
        self._forget(transport)

    @contextmanager
    def fetching(self, transport: asyncio.Transport) -> Iterator[None]:
        """It knows a file's address: it stays, and afterwards is the last to give way."""
        self._forget(transport)
        try:
            yield
        finally:
            if not transport.is_closing():
                self._silent[transport] = None

    def _drop(self, transport: asyncio.BaseTransport) -> None:
        self._forget(transport)
        assert isinstance(transport, asyncio.Transport)
        transport.abort()

    def _forget(self, transport: asyncio.BaseTransport) -> None:
        if timer := self._silent.pop(transport, None):
            timer.cancel()


def bare(status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """Nothing but a status, and the connection ends: who got this has nothing to wait for."""
    response = web.Response(status=status, headers={**ALWAYS, **(headers or {})})
    response.force_close()
    return response


class Visitor(RequestHandler):
    """A request too broken to be read is answered as a wrong address is. aiohttp's own answer, and
    its log, would quote the request's line, which may hold an address.
    """

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        return bare(404) if status < 500 else super().handle_error(request, status, exc, message)


class Server(web.Server):
    """aiohttp's, which reports each connection to `connections`."""

    def __init__(
        self, handler: Any, *, connections: Connections, request_factory: Any, **settings: Any
    ) -> None:
        """`settings` are those of each connection."""
        super().__init__(handler, request_factory=request_factory, handler_cancellation=True)
        self._known = connections
        self._settings = settings

    def __call__(self) -> RequestHandler:
        return Visitor(self, loop=asyncio.get_running_loop(), **self._settings)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._known.opened(transport)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        if handler.transport is not None:
            self._known.closed(handler.transport)
        super().connection_lost(handler, exc)


def descriptors() -> int:
    """How many this process may have, once it has raised its limit as far as it may."""
    if resource is None:
        return MOST_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # macOS has a lower one that it does not state
        return soft
    return wanted


class Shortage:
    """The loop's exception handler: asyncio reports a lack of descriptors a hundred times a second,
    which is logged once a minute.
    """

    def __init__(self) -> None:
        self._warned_at = float("-inf")

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in {errno.EMFILE, errno.ENFILE}:
            loop.default_exception_handler(context)
        elif time.monotonic() - self._warned_at > WARN_EVERY:
            self._warned_at = time.monotonic()
            log.warning(
                "The media server can take no connection just now (%s). Raise the limit of open "
                "files (`ulimit -n`, systemd's LimitNOFILE) if this comes again.",
                error.strerror,
            )
