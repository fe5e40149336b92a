"""One way to Frame.io: it fetches the clip from us, through the tunnel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from postflow.frameio import FrameioClient
from postflow.models import Exposure, Folder, MediaFile, RemoteFile, UploadPart, Way
from postflow.outlet import Outlet, Served


class TunnelSending:
    """A clip that is exposed. Frame.io fetches as it likes; we look on."""

    way: Way = "tunnel"
    detour: str | None = None
    parts: tuple[UploadPart, ...] = ()

    def __init__(
        self, frameio: FrameioClient, outlet: Outlet, media: MediaFile, exposure: Exposure
    ) -> None:
        self._frameio = frameio
        self._outlet = outlet
        self._media = media
        self._exposure = exposure

    @property
    def exposure(self) -> str | None:
        return self._exposure.id

    async def request(self, folder: Folder, known: frozenset[str]) -> RemoteFile:
        return await self._frameio.files.remote_upload(
            folder,
            self._media.name,
            self._exposure.url,
            known=known,
            size=self._media.size,
            took_effect=lambda: self.left().requests > 0,
        )

    def start(self) -> None:
        """Frame.io has started by itself."""

    def resume(self, missing: Sequence[UploadPart]) -> None:
        raise NotImplementedError("Frame.io fetches a file as a whole")

    def left(self) -> Served:
        return self._outlet.served(self._exposure)

    async def check(self) -> None:
        await self._outlet.check(self._exposure)

    async def settled(self) -> Served:
        return await self._outlet.settled(self._exposure)


@asynccontextmanager
async def by_tunnel(
    frameio: FrameioClient, outlet: Outlet, media: MediaFile
) -> AsyncIterator[TunnelSending]:
    """Expose the clip until the block is left. Raises as `Outlet.expose`."""
    async with outlet.expose(media) as exposure:
        yield TunnelSending(frameio, outlet, media, exposure)
