"""Proof of arrival: Frame.io says complete, sizes are equal, every byte left us, unchanged.

By whichever way: `by_tunnel` and `direct` each have a `Sending`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from postflow.errors import Fatal, Retry, Skip
from postflow.frameio import FrameioClient
from postflow.media.pinned import changed
from postflow.media.probe import is_unchanged, probe_media
from postflow.models import BYTES_ARE_IN, Folder, MediaFile, RemoteFile, UploadPart, Way
from postflow.outlet import Served
from postflow.settings import RetryPolicy

from .polling import Finishing, Polling


class Sending(Protocol):
    """One clip on its way, from the asking for a file to the last byte."""

    way: Way
    detour: str | None
    """Why it is not the way that is set up."""

    parts: tuple[UploadPart, ...]
    """The parts of a file that was asked for, if it is we who send them."""

    @property
    def exposure(self) -> str | None:
        """A fingerprint of the address that Frame.io fetches it from, if it does."""
        ...

    async def request(self, folder: Folder, known: frozenset[str]) -> RemoteFile:
        """Ask for a file. `known` are the ids of that name from before."""
        ...

    def start(self) -> None:
        """The file that was asked for is written down: bytes may leave."""
        ...

    def left(self) -> Served:
        """What has left this machine so far."""
        ...

    def resume(self, missing: Sequence[UploadPart]) -> None:
        """Go on with a file that was begun before; all parts but these have arrived."""
        ...

    async def check(self) -> None:
        """Raises when no more can leave."""
        ...

    async def settled(self) -> Served:
        """What has left, once all is counted and proven. Raises Retry when it cannot be."""
        ...


log = logging.getLogger(__name__)

TICK = 0.1
"""Of `poll`: how soon it is seen that the last byte has left."""
Progress = Callable[[Served], Awaitable[None]]
Late = Callable[[Retry | None], Awaitable[None]]
"""Told once that every byte has left for long, and why Frame.io does not say that it has them."""


async def await_arrival(
    frameio: FrameioClient,
    sending: Sending,
    media: MediaFile,
    remote: RemoteFile,
    *,
    policy: RetryPolicy,
    progress: Progress,
    late: Late,
    finishing: Finishing,
) -> RemoteFile:
    """Return the file as Frame.io has it once it is whole. Raises Retry for all that is not.

    That Frame.io is too busy to tell, or cannot be reached, says nothing of the transfer.
    """
    sending.start()
    polling = Polling(media, policy, finishing)
    arrived: RemoteFile | None = None
    unheard: Retry | None = None
    while arrived is None:
        served = sending.left()
        await progress(served)
        await _refuse_seen_changed(media, served)
        if polling.is_time(served):
            ask = _status if polling.wants_verdict else _shown
            arrived, unheard = await ask(frameio, remote, media.size)
            polling.arrived(is_whole=arrived is not None)
        if arrived is None:
            arrived = await _check(frameio, sending, remote, media.size)
        if arrived is None:
            polling.refuse_standstill(unheard)
            if polling.becomes_late():
                await late(unheard)
            await _wait(sending, media.size, polling.wait, policy.poll * TICK)
    served = await sending.settled()
    await progress(served)
    await _prove(media, served, arrived)
    return arrived


async def _wait(sending: Sending, size: int, seconds: float, tick: float) -> None:
    """Or until the last byte leaves."""
    until = time.monotonic() + seconds
    all_left = sending.left().bytes_covered >= size
    while (rest := until - time.monotonic()) > 0:
        await asyncio.sleep(rest if all_left else min(rest, tick))
        if not all_left and sending.left().bytes_covered >= size:
            return


async def _check(
    frameio: FrameioClient, sending: Sending, remote: RemoteFile, size: int
) -> RemoteFile | None:
    """Raises what ends the sending; but what failed here after the last byte may have succeeded
    there, so Frame.io is asked once more.
    """
    try:
        await sending.check()
    except Retry:
        if sending.left().bytes_covered < size:
            raise
        arrived, _ = await _status(frameio, remote, size)
        if arrived is None:
            raise
        return arrived
    return None


async def _shown(
    frameio: FrameioClient, remote: RemoteFile, size: int
) -> tuple[RemoteFile | None, Retry | None]:
    """One call instead of two: a file whose bytes are in says so and tells its size. One that says
    anything else than that it waits for them is asked for by its status.
    """
    try:
        shown = await frameio.files.show(remote.account_id, remote.id)
    except Retry as error:
        return _unheard(remote, error)
    if shown.status in BYTES_ARE_IN and shown.size == size:
        return shown, None
    return (None, None) if shown.status == "created" else await _status(frameio, remote, size)


def _unheard(remote: RemoteFile, error: Retry) -> tuple[None, Retry]:
    log.info("How %s stands cannot be told: %s", remote.name, error.message)
    return None, error


async def _status(
    frameio: FrameioClient, remote: RemoteFile, size: int
) -> tuple[RemoteFile | None, Retry | None]:
    """The file once Frame.io calls it complete; or why it cannot be told whether it is."""
    try:
        status = await frameio.files.status(remote)
        arrived = None
        if status.complete:
            arrived = await frameio.files.show(remote.account_id, remote.id)
    except Retry as error:
        return _unheard(remote, error)
    if status.failed:
        raise await frameio.accounts.why_no_room(remote.account_id, size) or Retry(
            "Frame.io could not fetch {name}.",
            hint="It is asked again. If it keeps failing, run `postflow check`.",
            code="frameio.upload_failed",
            name=remote.name,
        )
    return arrived, None


async def _refuse_seen_changed(media: MediaFile, served: Served) -> None:
    """While it travels. What cannot be looked at just now is looked at again at the end."""
    try:
        await _refuse_changed(media, served)
    except Retry as error:
        if error.code != "file.unreadable":
            raise
        log.info("%s", error)


async def _refuse_changed(media: MediaFile, served: Served, *, by_content: bool = False) -> None:
    if served.changed or not await is_unchanged(media, by_content=by_content):
        await _refuse_vanished(media)
        raise changed(media)


async def _refuse_vanished(media: MediaFile) -> None:
    try:
        await probe_media(media.path)
    except Skip as error:
        if error.code != "file.missing":
            return
        raise Skip(
            "{name} was deleted or renamed while it was on its way.",
            hint="Nothing, if that was meant; under a new name it is delivered by itself.",
            code="file.missing",
            name=media.name,
        ) from error
    except (Retry, Fatal):
        return


async def _prove(media: MediaFile, served: Served, arrived: RemoteFile) -> None:
    await _refuse_changed(media, served, by_content=True)
    if arrived.size is None:
        log.warning("Frame.io does not say how large %s is; every byte left us.", media.name)
    elif arrived.size != media.size:
        raise Retry(
            "Frame.io holds {arrived:,} bytes of {name}, not {size:,}.",
            hint="It is sent again. On ngrok's free plan a warning page may have been stored "
            "in place of the clip: any paid plan ends that.",
            code="frameio.wrong_size",
            arrived=arrived.size,
            name=media.name,
            size=media.size,
        )
    if served.bytes_covered < media.size:
        raise Retry(
            "Only {gone:,} of {size:,} bytes of {name} left this "
            "machine, yet Frame.io calls it complete.",
            hint="It is sent again. If this repeats, something between here and Frame.io "
            "answers in our place.",
            code="frameio.not_whole",
            gone=served.bytes_covered,
            size=media.size,
            name=media.name,
        )
    log.info("%s arrived whole: %s bytes.", media.name, f"{media.size:,}")
