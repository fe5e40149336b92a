"""Stage: the file is fetched, and proven to be whole."""

from __future__ import annotations

from blocks.opening import OpenStudio
from postflow import arrival
from postflow.models import Exposure, MediaFile, RemoteFile

from .progress import Progress
from .stage import stage


@stage("await arrival", retries=0)
async def await_arrival(
    live: OpenStudio, media: MediaFile, exposure: Exposure, remote: RemoteFile
) -> RemoteFile:
    """The file as Frame.io has it, once complete, of equal size, every byte served."""
    return await arrival.await_arrival(
        live.frameio,
        live.outlet,
        media,
        exposure,
        remote,
        patience=live.patience,
        progress=Progress(media, also=live.progress),
    )
