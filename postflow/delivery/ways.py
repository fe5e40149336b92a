"""Which way a clip goes: through the tunnel, or directly."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from postflow.bandwidth import Bandwidth
from postflow.errors import Fatal, PostFlowError, Refusal
from postflow.frameio import FrameioClient
from postflow.frameio.errors import REMOTE_UPLOAD_LIMIT
from postflow.models import MediaFile, Transfer
from postflow.outlet import Outlet

from .arrival import Sending
from .by_tunnel import by_tunnel
from .direct import Arrived, direct

log = logging.getLogger("postflow.transfer")

WITHOUT_TUNNEL = 300.0
"""Seconds for which no tunnel is tried again, once none could be had: each try takes its time."""

OF_THE_TUNNEL = ("tunnel.", "outlet.")
NO_TUNNEL = Refusal(
    Fatal,
    "tunnel.none",
    "The studio has no tunnel.",
    'Set one up, or let clips go directly: transfer = "auto" or "direct".',
)


class Ways:
    """The ways a studio has to Frame.io. `outlet` is None where no tunnel is set up."""

    def __init__(
        self,
        frameio: FrameioClient,
        outlet: Outlet | None,
        transfer: Transfer,
        bandwidth: Bandwidth,
    ) -> None:
        self._frameio = frameio
        self._outlet = outlet
        self._transfer = transfer
        self._bandwidth = bandwidth
        self._opening = asyncio.Lock()
        self._away: str | None = None
        self._away_until = 0.0

    def may_go_directly(self, transfer: Transfer | None = None) -> bool:
        """May a clip go directly, for which `transfer` was asked for instead of the studio's?"""
        return (transfer or self._transfer) != "tunnel"

    @asynccontextmanager
    async def kept_open(self) -> AsyncIterator[None]:
        """Whoever opens the outlet meanwhile leaves it open until the end."""
        async with AsyncExitStack() as stack:
            if self._outlet:
                await stack.enter_async_context(self._outlet.kept_open())
            yield

    @asynccontextmanager
    async def sending(
        self,
        media: MediaFile,
        arrived: Arrived,
        *,
        transfer: Transfer | None = None,
        resumes: bool = False,
    ) -> AsyncIterator[Sending]:
        """Open the way for one clip, `transfer` instead of the studio's; `resumes`: parts of it
        have arrived. Raises as `Outlet.expose` where the tunnel is wanted, Fatal `tunnel.none`.
        """
        wanted = transfer or self._transfer
        async with AsyncExitStack() as stack:
            sending = None
            may_fetch = self._outlet is not None and not self._detour(media)
            if wanted == "tunnel" or (wanted == "auto" and not resumes and may_fetch):
                sending = await self._by_tunnel(stack, media, may_do_without=wanted == "auto")
            if sending is None:
                detour = self._detour(media) if wanted == "auto" and not resumes else None
                if detour:
                    log.warning("%s goes directly. %s", media.name, detour)
                going = direct(
                    self._frameio, media, arrived, detour=detour, bandwidth=self._bandwidth
                )
                sending = await stack.enter_async_context(going)
            yield sending

    async def _by_tunnel(
        self, stack: AsyncExitStack, media: MediaFile, *, may_do_without: bool
    ) -> Sending | None:
        """None where there is no tunnel just now, and the clip may go without."""
        if self._outlet is None:
            raise NO_TUNNEL()
        try:
            async with AsyncExitStack() as first:
                if not self._outlet.is_open:  # one tries, the others hear of it
                    await first.enter_async_context(self._opening)
                    if may_do_without and self._is_away:
                        return None
                way = by_tunnel(self._frameio, self._outlet, media)
                return await stack.enter_async_context(way)
        except PostFlowError as error:
            if not may_do_without or not error.code.startswith(OF_THE_TUNNEL):
                raise
            self._away, self._away_until = error.message, time.monotonic() + WITHOUT_TUNNEL
            return None

    def _detour(self, media: MediaFile) -> str | None:
        """Why the tunnel is not for this clip, or not for now; None where there is none at all."""
        if self._outlet is None:
            return None
        if media.size > REMOTE_UPLOAD_LIMIT:
            return "Frame.io fetches no more than 50 GB through a tunnel."
        return self._away if self._is_away else None

    @property
    def _is_away(self) -> bool:
        return time.monotonic() < self._away_until
