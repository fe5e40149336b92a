"""The tunnel in use, and the way to another one when it has died."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack

from postflow.errors import Retry

from .see_through import see_through
from .tunnel import Tunnel, TunnelProvider

log = logging.getLogger(__name__)


class Line:
    """At most one open tunnel to `local_url`."""

    def __init__(self, provider: TunnelProvider, local_url: str) -> None:
        self._provider = provider
        self._local_url = local_url
        self._changing = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._tunnel: Tunnel | None = None

    async def __aenter__(self) -> Line:
        await self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def tunnel(self) -> Tunnel:
        """A tunnel that answers for itself, a new one if need be."""
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
            await see_through(self._close())
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
