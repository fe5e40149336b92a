"""Is this clip in Frame.io already? Asked before every upload, so that none is made twice."""

from __future__ import annotations

import logging
import unicodedata
from datetime import datetime, timedelta

from postflow.errors import Retry
from postflow.frameio import FrameioClient
from postflow.frameio.refusals import unreadable_item
from postflow.models import BYTES_ARE_IN, Folder, MediaFile, Moment, RemoteFile
from postflow.stacking import Family

log = logging.getLogger(__name__)

CLOCK_SKEW = timedelta(minutes=5)


class Past(Moment):
    """What earlier runs of ours know: what an unfinished one may have left in the folder, which
    files hold the same clip, and which hold other clips or other exports of this one.
    """

    file_id: str | None = None
    begun_at: datetime | None = None
    same: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()


class Found(Moment):
    """What the folder holds: the clip itself, all ids of its name, and whether it has relatives."""

    remote: RemoteFile | None
    known: frozenset[str]
    alone: bool


async def find_delivered(
    frameio: FrameioClient, folder: Folder, media: MediaFile, family: Family, past: Past
) -> Found:
    """Look for `media` in `folder`, loose or stacked. Dead placeholders of ours are removed.

    Frame.io publishes no checksum: a file of our name and size that was created after ours was
    last written is taken for the same clip, unless we know better, whatever the times say. Raises
    Retry when one is on its way this moment.
    """
    contents = await frameio.contents(folder)
    stack = family.stack(contents)
    stacked = await frameio.stack_versions(stack) if stack else []
    if media.name in contents.unread:
        raise unreadable_item(media.name)
    namesakes = [f for f in (*contents.files, *stacked) if _nfc(f.name) == media.name]
    known = {file.id for file in namesakes}
    for remote in namesakes:
        if not _may_be(remote, media, past):
            continue
        if await _is_whole(frameio, folder, media, remote, past):
            log.info("%s is in Frame.io already.", media.name)
            return Found(remote=remote, known=frozenset(known), alone=False)
        await frameio.delete_file(remote)
        known.discard(remote.id)
    gone = {file.id for file in namesakes} - known
    relatives = {file.id for file in (*family.loose(contents), *stacked)}
    return Found(remote=None, known=frozenset(known), alone=relatives <= gone)


async def _is_whole(
    frameio: FrameioClient, folder: Folder, media: MediaFile, remote: RemoteFile, past: Past
) -> bool:
    status = await frameio.upload_status(remote)
    if status.complete and remote.size == media.size:
        return True
    if status.complete or status.failed or _is_ours(remote, media, past):
        return False
    raise Retry(
        f"Another upload of {media.name} is on its way to {folder.label}.",
        hint="Wait for it to end; if nothing is uploading, delete the empty placeholder "
        "in Frame.io and try again.",
        code="frameio.in_progress",
    )


def _may_be(remote: RemoteFile, media: MediaFile, past: Past) -> bool:
    """An unfinished placeholder may not know its size yet."""
    if remote.id in past.others:
        return False
    if _is_ours(remote, media, past):
        return True
    if remote.id in past.same:
        return remote.status != "created" and remote.size == media.size
    fits = remote.size == media.size or (remote.status not in BYTES_ARE_IN and remote.size == 0)
    return fits and remote.created_at >= media.modified - CLOCK_SKEW


def _is_ours(remote: RemoteFile, media: MediaFile, past: Past) -> bool:
    """Made by a run of ours that died: by its id, or by the time at which it had asked."""
    if remote.id == past.file_id:
        return True
    if past.begun_at is None or remote.created_at < past.begun_at - CLOCK_SKEW:
        return False
    return remote.status == "created" or remote.size == media.size


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)
