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
from contextlib import asynccontextmanager, suppress
from functools import partial

from postflow.bandwidth import Bandwidth, ThreadShare
from postflow.errors import Retry
from postflow.frameio import FrameioClient
from postflow.frameio.parts import ALTERED, PartStore
from postflow.media import volume
from postflow.media.pinned import PinnedFile, changed
from postflow.media.probe import explained, is_unchanged
from postflow.models import Folder, MediaFile, RemoteFile, UploadPart, Way
from postflow.outlet import Served
from postflow.outlet.served_files import Tally

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Parts of a file on their way at once: benchmarks/direct.py."""

PIECE = 1 << 20
"""Bytes that are read, hashed and sent at a time, by each of them."""

HEARING = 3.0
"""Seconds for which the answer to a part of which every byte has left is waited for at the end."""

CLOSING = 5.0
"""Seconds that the closing of a file may take, before it is left to itself on a dead mount."""

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
        self._reading = _Reading(media)
        self._store = self._part_store(None)
        self._sending: asyncio.Task[None] | None = None
        self._parts: dict[int, asyncio.Task[None]] = {}
        self._unheard: set[int] = set()

    async def request(self, folder: Folder, known: frozenset[str]) -> RemoteFile:
        """The file that is to be filled. Its parts are those of `parts`."""
        media = self._media
        made = await self._frameio.files.local_upload(folder, media.name, media.size, known=known)
        self.parts = self._missing = made.parts
        self._store = self._part_store(made.media_type)
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
        """Threads end with the piece that they are sending; nobody waits for them. But a part of
        which every byte has left is heard of, so that it need not be sent again.
        """
        self._stop.set()
        try:
            unheard = [self._parts[number] for number in tuple(self._unheard)]
            if unheard:
                await asyncio.wait(unheard, timeout=HEARING)
        finally:
            tasks = [*([self._sending] if self._sending else []), *self._parts.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(Retry):
                await volume.ask_in_time(self._store.close, self._media.path, timeout=CLOSING)

    def _part_store(self, media_type: str | None) -> PartStore:
        guess, closing = self._media.content_type, self._reading.close
        return PartStore(media_type, guess, stop=self._stop, closing=closing)

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
        if not await is_unchanged(self._media, by_content=True):
            raise changed(self._media)
        await self._send_part(last, is_last=True)

    async def _send_each(self, waiting: Iterator[UploadPart]) -> None:
        for part in waiting:
            await self._send_part(part)

    async def _send_part(self, part: UploadPart, *, is_last: bool = False) -> None:
        """What fails elsewhere ends the wait for the part, and not the part."""
        number = part.number
        self._parts[number] = asyncio.create_task(self._put(part, is_last=is_last))
        await asyncio.shield(self._parts[number])
        del self._parts[number]

    async def _put(self, part: UploadPart, *, is_last: bool) -> None:
        pieces = partial(self._pieces, part)
        try:
            receipt = await volume.ask(lambda: self._store.put(part, pieces, is_last=is_last))
            await self._arrived(part.number, receipt.etag)
        finally:
            self._unheard.discard(part.number)

    def _pieces(self, part: UploadPart) -> Iterator[bytes]:
        """In a thread. Raises Retry `file.changed` where the clip is no longer what it was."""
        clip = self._reading.clip()
        start = part.start
        self._unheard.discard(part.number)
        while start < part.stop:
            count = self._share.take(min(PIECE, part.stop - start))
            if self._stop.is_set():
                raise Stopped
            with explained(clip.path):
                piece = os.pread(clip.descriptor, count, start)
            if not piece:
                raise changed(self._media)
            yield piece
            self._tally.sent(start, start + len(piece))
            start += len(piece)
        with explained(clip.path):
            if not clip.is_as_opened():
                raise changed(self._media)
        self._unheard.add(part.number)


class _Reading:
    """The clip, opened by the first thread that reads it, for all of them. The last one closes."""

    def __init__(self, media: MediaFile) -> None:
        self._media = media
        self._opening = threading.Lock()
        self._clip: PinnedFile | None = None

    def clip(self) -> PinnedFile:
        with self._opening:
            if self._clip is None:
                self._clip = PinnedFile(self._media)
            return self._clip

    def close(self) -> None:
        clip, self._clip = self._clip, None
        if clip:
            clip.close()


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
