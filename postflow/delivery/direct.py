"""The other way to Frame.io: we send the clip, in parts, to the store behind it.

The last part goes by itself, when all others are proven and the file is as it was: before that
Frame.io cannot take the file for complete.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from functools import partial

from postflow.bandwidth import Bandwidth, ThreadShare
from postflow.errors import PostFlowError, Retry, lies_outside
from postflow.frameio import FrameioClient
from postflow.frameio.parts import ALTERED, PartStore
from postflow.ledger import StoredPart
from postflow.media import volume
from postflow.media.probe import explained, holds, is_unchanged, open_clip
from postflow.models import Folder, MediaFile, RemoteFile, UploadPart, Way
from postflow.outlet import Served
from postflow.outlet.served_files import Tally

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Parts of a file on their way at once: benchmarks/direct.py."""

PIECE = 1 << 20
"""Bytes that are read, hashed and sent at a time, by each of them."""

Arrived = Callable[[int, str | None], Awaitable[None]]
"""Told the number of each part that has arrived, and what the store calls it."""


class Stopped(Exception):
    """Nobody waits for the rest any more."""


class DirectSending:
    """A clip that is sent in parts, a thread for each that is on its way."""

    way: Way = "direct"
    exposure: str | None = None

    def __init__(
        self,
        frameio: FrameioClient,
        media: MediaFile,
        arrived: Arrived,
        *,
        detour: str | None,
        bandwidth: Bandwidth,
    ) -> None:
        self.detour = detour
        self.parts: tuple[UploadPart, ...] = ()
        self._frameio = frameio
        self._media = media
        self._arrived = arrived
        self._stop = threading.Event()
        self._share = ThreadShare(bandwidth, self._stop)
        self._tally = Tally(media.size)
        self._missing: Sequence[UploadPart] = ()
        self._store = PartStore(None, media.content_type, stop=self._stop)
        self._sending: asyncio.Task[None] | None = None

    async def request(self, folder: Folder, known: frozenset[str]) -> RemoteFile:
        """The file that is to be filled. Its parts are those of `parts`."""
        media = self._media
        made = await self._frameio.files.local_upload(folder, media.name, media.size, known=known)
        self.parts = self._missing = made.parts
        self._store = PartStore(made.media_type, media.content_type, stop=self._stop)
        return made.remote

    def resume(self, missing: Sequence[UploadPart]) -> None:
        """All but these have arrived before."""
        self._missing = missing
        ends = [0, *(part.stop for part in missing)]
        for end, start in zip(
            ends, (*(part.start for part in missing), self._media.size), strict=True
        ):
            if end < start:
                self._tally.sent(end, start)

    def start(self) -> None:
        self._sending = asyncio.create_task(self._send(), name=f"parts of {self._media.name}")

    def left(self) -> Served:
        return self._tally.snapshot(changed=False)

    async def check(self) -> None:
        """Raises what keeps the parts from being sent."""
        if self._sending and self._sending.done():
            self._sending.result()

    async def settled(self) -> Served:
        """Once every part is proven. Frame.io has them all: where the answer to the last one was
        lost, and it is not taken again, nobody hears its checksum.
        """
        assert self._sending
        try:
            await self._sending
        except Retry as error:
            if error.code == ALTERED.code or not self._all_left:
                raise
            log.info("The last part of %s has arrived unheard: %s", self._media.name, error.message)
        return self.left()

    async def close(self) -> None:
        """Threads end with the piece that they are sending; nobody waits for them."""
        self._stop.set()
        if self._sending:
            self._sending.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._sending
        self._store.close()

    @property
    def _all_left(self) -> bool:
        return self.left().bytes_covered >= self._media.size

    async def _send(self) -> None:
        if not self._missing:
            return
        *others, last = self._missing
        waiting = iter(others)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(AT_ONCE, len(others))):
                    group.create_task(self._send_each(waiting))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        if not await is_unchanged(self._media):
            raise _changed(self._media)
        await self._send_part(last, is_last=True)

    async def _send_each(self, waiting: Iterator[UploadPart]) -> None:
        for part in waiting:
            await self._send_part(part)

    async def _send_part(self, part: UploadPart, *, is_last: bool = False) -> None:
        pieces = partial(self._pieces, part)
        receipt = await volume.ask(lambda: self._store.put(part, pieces, is_last=is_last))
        await self._arrived(part.number, receipt.etag)

    def _pieces(self, part: UploadPart) -> Iterator[bytes]:
        """In a thread. The file is opened anew for each part, so that none outlives its reader."""
        media = self._media
        with closing(_Reading(media)) as reading:
            start = part.start
            while start < part.stop:
                count = self._share.take(min(PIECE, part.stop - start))
                if self._stop.is_set():
                    raise Stopped
                piece = reading.piece(start, count)
                yield piece
                self._tally.sent(start, start + len(piece))
                start += len(piece)
            reading.refuse_changed()


class _Reading:
    """The clip, open. Raises Retry `file.changed` when it is no longer what it was."""

    def __init__(self, media: MediaFile) -> None:
        self._media = media
        self._descriptor = open_clip(media.path)
        try:
            self.refuse_changed()
        except BaseException:
            self.close()
            raise

    def piece(self, start: int, size: int) -> bytes:
        with explained(self._media.path):
            piece = os.pread(self._descriptor, size, start)
        if not piece:
            raise _changed(self._media)
        return piece

    def refuse_changed(self) -> None:
        with explained(self._media.path):
            if not holds(self._descriptor, self._media):
                raise _changed(self._media)

    def close(self) -> None:
        os.close(self._descriptor)


@asynccontextmanager
async def direct(
    frameio: FrameioClient,
    media: MediaFile,
    arrived: Arrived,
    *,
    bandwidth: Bandwidth,
    detour: str | None = None,
) -> AsyncIterator[DirectSending]:
    """Nothing is sent any more once the block is left. `detour`: why it goes this way."""
    sending = DirectSending(frameio, media, arrived, detour=detour, bandwidth=bandwidth)
    try:
        yield sending
    finally:
        await sending.close()


RESUMABLE = frozenset({"frameio.stalled", "file.unreadable", "volume.hangs"})


def can_go_on_after(error: BaseException) -> bool:
    """Is the file that was begun as good as before, so that only the rest needs to be sent?"""
    return isinstance(error, PostFlowError) and (lies_outside(error) or error.code in RESUMABLE)


def missing_of(begun: Sequence[StoredPart], media: MediaFile) -> list[UploadPart]:
    """What is still to be sent: also what was sent of the file when it had another mtime."""
    return [each.part for each in begun if each.mtime_ns != media.mtime_ns]


def _changed(media: MediaFile) -> Retry:
    return Retry(
        f"{media.name} changed on disk while it was being sent.",
        hint="Wait until the export is finished; it is then sent again.",
        code="file.changed",
    )
