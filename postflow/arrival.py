"""Proof of arrival: Frame.io says complete, sizes are equal, every byte left us, unchanged."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from postflow.errors import Retry, Skip
from postflow.frameio import FrameioClient
from postflow.media import is_unchanged, look_at
from postflow.models import Exposure, MediaFile, RemoteFile
from postflow.outlet import Outlet, Served
from postflow.patience import Patience

log = logging.getLogger(__name__)

Progress = Callable[[Served], Awaitable[None]]


async def await_arrival(
    frameio: FrameioClient,
    outlet: Outlet,
    media: MediaFile,
    exposure: Exposure,
    remote: RemoteFile,
    *,
    patience: Patience,
    progress: Progress,
) -> RemoteFile:
    """Return the file as Frame.io has it once it is whole. Raises Retry for all that is not."""
    await _until_complete(
        frameio, outlet, media, exposure, remote, patience=patience, progress=progress
    )
    arrived = await frameio.file(remote.account_id, remote.id)
    served = await outlet.settled(exposure)
    await progress(served)
    await _prove(media, served, arrived)
    return arrived


async def _until_complete(
    frameio: FrameioClient,
    outlet: Outlet,
    media: MediaFile,
    exposure: Exposure,
    remote: RemoteFile,
    *,
    patience: Patience,
    progress: Progress,
) -> None:
    moved_at, sent = time.monotonic(), -1
    while True:
        status = await frameio.upload_status(remote)
        served = outlet.served(exposure)
        await progress(served)
        await _refuse_changed(media, served)
        if status.complete:
            return
        if status.failed:
            raise Retry(
                f"Frame.io could not fetch {media.name}.",
                hint="It is asked again. If it keeps failing, run `postflow check`.",
                code="frameio.upload_failed",
            )
        await outlet.check(exposure)
        if served.bytes_sent != sent:
            moved_at, sent = time.monotonic(), served.bytes_sent
        if time.monotonic() - moved_at > patience.stall:
            raise Retry(
                f"Frame.io stopped fetching {media.name} for {patience.stall:.0f} s.",
                hint="It is asked again. Check the studio's uplink with `postflow check`.",
                code="frameio.stalled",
            )
        await asyncio.sleep(patience.poll)


async def _refuse_changed(media: MediaFile, served: Served) -> None:
    if served.changed or not await is_unchanged(media):
        await _refuse_vanished(media)
        raise Retry(
            f"{media.name} changed on disk while it was being sent.",
            hint="Wait until the export is finished; it is then sent again.",
            code="file.changed",
        )


async def _refuse_vanished(media: MediaFile) -> None:
    try:
        await look_at(media.path)
    except Skip as error:
        if error.code != "file.missing":
            return
        raise Skip(
            f"{media.name} was deleted or renamed while it was on its way.",
            hint="Nothing, if that was meant; under a new name it is delivered by itself.",
            code="file.missing",
        ) from error
    except Retry:
        return


async def _prove(media: MediaFile, served: Served, arrived: RemoteFile) -> None:
    await _refuse_changed(media, served)
    if arrived.size != media.size:
        raise Retry(
            f"Frame.io holds {arrived.size:,} bytes of {media.name}, not {media.size:,}.",
            hint="It is sent again. On ngrok's free plan a warning page may have been stored "
            "in place of the clip: any paid plan ends that.",
            code="frameio.wrong_size",
        )
    if served.bytes_covered < media.size:
        raise Retry(
            f"Only {served.bytes_covered:,} of {media.size:,} bytes of {media.name} left this "
            "machine, yet Frame.io calls it complete.",
            hint="It is sent again. If this repeats, something between ngrok and Frame.io "
            "answers in our place.",
            code="frameio.not_whole",
        )
    log.info("%s arrived whole: %s bytes.", media.name, f"{media.size:,}")
