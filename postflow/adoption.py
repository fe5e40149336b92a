"""Is this clip in Frame.io already? Asked before every upload, so that none is made twice."""

from __future__ import annotations

import logging
from datetime import timedelta

from postflow.errors import Retry
from postflow.frameio import FrameioClient
from postflow.models import Folder, MediaFile, Moment, RemoteFile

log = logging.getLogger(__name__)

CLOCK_SKEW = timedelta(minutes=5)


class Found(Moment):
    """What the folder holds under the clip's name: the clip itself, and every id to tell apart."""

    remote: RemoteFile | None
    known: frozenset[str]


async def find_delivered(frameio: FrameioClient, folder: Folder, media: MediaFile) -> Found:
    """Look for `media` in `folder`. Failed leftovers of its name and size are removed.

    Frame.io publishes no checksum: a file of our name and size that was created after ours was
    last written is taken for the same clip. Raises Retry when one is on its way this moment.
    """
    known = set()
    for remote in await frameio.files_named(folder, media.name):
        known.add(remote.id)
        if not _same_clip(remote, media):
            continue
        status = await frameio.upload_status(remote)
        if status.complete:
            log.info("%s is in Frame.io already.", media.name)
            return Found(remote=remote, known=frozenset(known))
        if not status.failed:
            raise Retry(
                f"Another upload of {media.name} is on its way to {folder.label}.",
                hint="Wait for it to end; if nothing is uploading, delete the empty placeholder "
                "in Frame.io and try again.",
                code="frameio.in_progress",
            )
        await frameio.delete_file(remote)
        known.discard(remote.id)
    return Found(remote=None, known=frozenset(known))


def _same_clip(remote: RemoteFile, media: MediaFile) -> bool:
    """An unfinished placeholder may not know its size yet."""
    fits = remote.size == media.size or (remote.status == "created" and remote.size == 0)
    return fits and remote.created_at >= media.modified - CLOCK_SKEW
