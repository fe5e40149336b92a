"""The bar in the UI that moves while bytes flow."""

from __future__ import annotations

import logging
import time
from uuid import UUID

from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact

from postflow.blocks.opening import ClipProgress
from postflow.models import MediaFile
from postflow.outlet import Served

from .courtesy import courtesy

PAUSE = 1.0


class Progress:
    """Called with what was served; tells the UI at most once a second, and `also` each time."""

    def __init__(self, media: MediaFile, *, also: ClipProgress | None) -> None:
        self._media = media
        self._also = also
        self._artifact: UUID | None = None
        self._told = -1.0
        self._told_at = 0.0

    async def __call__(self, served: Served) -> None:
        if self._also:
            await self._also(self._media, served)
        percent = round(100 * served.bytes_covered / max(served.total, 1), 1)
        if percent != self._told and (self._is_time() or percent >= 100):
            # a server that is away delays no transfer: the bar stands still meanwhile
            async with courtesy("the progress", level=logging.DEBUG):
                await self._tell(percent)

    def _is_time(self) -> bool:
        return time.monotonic() - self._told_at >= PAUSE

    async def _tell(self, percent: float) -> None:
        self._told, self._told_at = percent, time.monotonic()
        if self._artifact is None:
            self._artifact = await acreate_progress_artifact(
                percent, description=f"{self._media.name}: bytes fetched by Frame.io"
            )
        else:
            await aupdate_progress_artifact(self._artifact, percent)
