"""Media server and tunnel together: a file on this disk, fetchable from outside for a while."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from postflow.bandwidth import Bandwidth
from postflow.errors import Retry
from postflow.models import Exposure, MediaFile

from .loop_thread import finish
from .probe import probe
from .served_files import Served, ServedFile
from .server import MediaServer
from .tunnel import Tunnel, TunnelProvider

log = logging.getLogger(__name__)


class TunnelSession:
    """At most one open tunnel to `local_url`."""

    def __init__(self, provider: TunnelProvider, local_url: str) -> None:
        self._provider = provider
        self._local_url = local_url
        self._changing = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._tunnel: Tunnel | None = None

    async def __aenter__(self) -> TunnelSession:
        await self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def tunnel(self) -> Tunnel:
        """The open tunnel if its check passes, else a new one."""
        tunnel = self._tunnel
        try:
            await self.check(tunnel)
        except Retry as error:
            log.warning("The tunnel is opened anew: %s", error.message)
            return await self.renew(tunnel)
        assert tunnel
        return tunnel

    async def check(self, tunnel: Tunnel | None) -> None:
        """Raises Retry if `tunnel` is dead or no longer the one in use."""
        if tunnel is None or tunnel is not self._tunnel:
            raise Retry(
                "The clip's public address is gone: the tunnel was closed or replaced.",
                hint="It is offered again under a new address.",
                code="tunnel.replaced",
            )
        await tunnel.check()

    async def renew(self, dead: Tunnel | None) -> Tunnel:
        """Replace `dead`, unless somebody else just has."""
        async with self._changing:
            if self._tunnel is not None and self._tunnel is not dead:
                return self._tunnel
            await finish(self._close())
            return await self._open()

    @property
    def current(self) -> Tunnel | None:
        return self._tunnel

    async def _open(self) -> Tunnel:
        self._tunnel = await self._stack.enter_async_context(self._provider.open(self._local_url))
        return self._tunnel

    async def _close(self) -> None:
        self._tunnel = None
        await self._stack.aclose()


@dataclass(frozen=True)
class _Live:
    """What is open while somebody uses the outlet."""

    server: MediaServer
    session: TunnelSession
    stack: AsyncExitStack


@dataclass(frozen=True)
class _Exposed:
    file: ServedFile
    tunnel: Tunnel


class Outlet:
    """One for a process and its loop, shared by all clips: opened by the first user, closed after
    the last one.
    """

    def __init__(
        self,
        provider: TunnelProvider,
        *,
        port: int = 0,
        bandwidth: Bandwidth | None = None,
        probe_timeout: float = 20.0,
    ) -> None:
        """`port` of the media server on loopback, 0 for a free one; `probe_timeout`: seconds for a
        public address to answer.
        """
        self._provider = provider
        self._port = port
        self._bandwidth = bandwidth
        self._probe_timeout = probe_timeout
        self._changing = asyncio.Lock()
        self._users = 0
        self._keepers = 0
        self._live: _Live | None = None
        self._exposed: dict[str, _Exposed] = {}
        self._warned: str | None = None

    @property
    def is_open(self) -> bool:
        return self._live is not None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Outlet]:
        """Keep server and tunnel open. Raises what the provider raises when they cannot be had."""
        async with self._changing:
            if self._live is None:
                self._live = await self._open()
            self._users += 1
        try:
            yield self
        finally:
            await finish(self._leave())

    @asynccontextmanager
    async def kept_open(self) -> AsyncIterator[None]:
        """Opens nothing; but whoever opens the outlet meanwhile leaves it open until the end."""
        self._keepers += 1
        try:
            yield
        finally:
            self._keepers -= 1
            await finish(self._close_if_unused())

    @asynccontextmanager
    async def expose(self, media: MediaFile) -> AsyncIterator[Exposure]:
        """Make a file fetchable from outside until the block is left; proven by a probe first.

        Opens the outlet if nobody has. Raises Retry when the file changed or the probe failed for
        now, Fatal when a person has to act.
        """
        async with self.opened():
            live = self._opened_parts()
            file = await live.server.publish(media)
            try:
                exposed = _Exposed(file, await live.session.tunnel())
                exposure = _exposure(exposed)
                self._warn(await probe(exposure.url, media.size, timeout=self._probe_timeout))
                file.forget_visits()
                self._exposed[file.id] = exposed
                yield exposure
            finally:
                self._exposed.pop(file.id, None)
                await live.server.withdraw(file)

    def served(self, exposure: Exposure) -> Served:
        """What was fetched so far. Raises KeyError once `exposure` is over."""
        return self._exposed[exposure.id].file.snapshot()

    async def settled(self, exposure: Exposure, *, timeout: float = 5.0) -> Served:
        """What was fetched once the server's thread has counted the last piece: the final proof.

        A fetcher may hold the last byte a moment before it is counted. Waits until every byte is
        covered or nobody is fetching, at most `timeout` seconds.
        """
        file = self._exposed[exposure.id].file
        served = file.snapshot()
        if served.bytes_covered < served.total:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._opened_parts().server.quiet(file), timeout)
        return file.snapshot()

    async def check(self, exposure: Exposure | None = None) -> None:
        """Return while the tunnel lives, and still is the one `exposure` was made for.

        Raises Retry when not: expose again, which opens a new tunnel if need be.
        """
        session = self._opened_parts().session
        await session.check(self._exposed[exposure.id].tunnel if exposure else session.current)

    def _warn(self, warning: str | None) -> None:
        """Once, not for every clip."""
        if warning and warning != self._warned:
            log.warning("%s", warning)
            self._warned = warning

    def _opened_parts(self) -> _Live:
        if self._live is None:
            raise RuntimeError("the outlet is used outside of `async with outlet.opened()`")
        return self._live

    async def _open(self) -> _Live:
        async with AsyncExitStack() as stack:
            server = stack.enter_context(MediaServer(port=self._port, bandwidth=self._bandwidth))
            session = TunnelSession(self._provider, server.url)
            await stack.enter_async_context(session)
            return _Live(server, session, stack.pop_all())

    async def _leave(self) -> None:
        self._users -= 1
        await self._close_if_unused()

    async def _close_if_unused(self) -> None:
        async with self._changing:
            if not self._users and not self._keepers and self._live:
                live, self._live = self._live, None
                await live.stack.aclose()


def _exposure(exposed: _Exposed) -> Exposure:
    base = exposed.tunnel.public_url.get_secret_value()
    path = exposed.file.path.get_secret_value()
    return Exposure(id=exposed.file.id, url=SecretStr(base + path))
