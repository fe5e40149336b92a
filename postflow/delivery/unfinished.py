"""A direct upload that was begun: what is still to be sent of it, and what becomes of one that
nobody goes on with.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from postflow.errors import PostFlowError, lies_outside
from postflow.frameio import FrameioClient
from postflow.frameio.parts import expires_at
from postflow.ledger import AsyncLedger, Claimed, StoredPart, parts, transitions
from postflow.ledger.parts import Unfinished
from postflow.media.volume import same_mtime
from postflow.models import Folder, MediaFile, RemoteFile, UploadPart

from .claim import HeldClaim

log = logging.getLogger(__name__)

ENOUGH_TIME = timedelta(minutes=1)
LONGEST = timedelta(days=7)
"""No presigned address is good for longer:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html.
"""

RESUMABLE = frozenset({"frameio.stalled", "file.unreadable", "volume.hangs"})


def can_go_on_after(error: BaseException) -> bool:
    """Is the file that was begun as good as before, so that only the rest needs to be sent? So it
    is where the run is stopped; what a person cancels is withdrawn by whoever hears of it.
    """
    if isinstance(error, PostFlowError):
        return lies_outside(error) or error.code in RESUMABLE
    return isinstance(error, asyncio.CancelledError)


def missing_of(begun: Sequence[StoredPart], media: MediaFile) -> list[UploadPart]:
    """What is still to be sent: also what was sent of the file when it had another mtime."""
    return [
        each.part
        for each in begun
        if each.mtime_ns is None or not same_mtime(each.mtime_ns, media.mtime_ns)
    ]


class UnfinishedUpload:
    """That of a claimed clip, as the ledger has it."""

    def __init__(self, held: HeldClaim) -> None:
        self._held = held

    @property
    def _claim(self) -> Claimed | None:
        return self._held.claim

    async def begun(self, folder: Folder, media: MediaFile) -> Sequence[StoredPart]:
        """The parts of a file that an earlier attempt began to send there, if that can go on."""
        if self._claim is None or self._claim.folder_id != folder.id or not self._claim.file_id:
            return ()
        found = await self._held.ledger.run(parts.of, self._claim)
        fits = sum(each.part.size for each in found) == media.size
        return found if fits and not any(_is_late(each.part) for each in found) else ()

    def is_kept(self, remote: RemoteFile) -> bool:
        """Does the ledger know that file, so that a later run goes on with it or removes it?"""
        return self._claim is not None and self._claim.file_id == remote.id

    async def resumed(self) -> None:
        await self._held.advance(transitions.resumed)

    async def arrived(self, media: MediaFile, number: int, etag: str | None) -> None:
        await self._held.write(parts.arrived, number, etag=etag, mtime_ns=media.mtime_ns)

    async def withdrawn(self) -> None:
        """The unfinished file was removed."""
        await self._held.write(parts.forget)


async def remove_unfinished(ledger: AsyncLedger, frameio: FrameioClient, studio: str) -> None:
    """Remove from Frame.io what a studio's direct uploads left there, that no run has and nobody
    can go on with: nothing else would. What cannot be asked just now stays until later.
    """
    try:
        for left in await ledger.run(parts.unclaimed, studio):
            ends = expires_at(left.part) or left.since + LONGEST
            if left.is_over or ends <= datetime.now(UTC):
                await _remove(frameio, left)
                await ledger.run(parts.forget_unclaimed, left)
    except PostFlowError as error:
        log.warning("Unfinished files that nobody needs stay in Frame.io for now: %s", error)


async def _remove(frameio: FrameioClient, left: Unfinished) -> None:
    remote = await frameio.files.find(left.account_id, left.file_id)
    if remote and remote.status == "created":
        await frameio.files.delete(remote)
        log.info("The unfinished %s, which nobody went on with, is removed.", left.name)


def _is_late(part: UploadPart) -> bool:
    ends = expires_at(part)
    return ends is not None and ends < datetime.now(UTC) + ENOUGH_TIME
