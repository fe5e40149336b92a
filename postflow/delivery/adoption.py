"""Is this clip in Frame.io already? Asked before every upload, so that none is made twice."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from postflow.errors import Fatal, Retry
from postflow.frameio import FrameioClient
from postflow.frameio.errors import UNKNOWN_ITEM
from postflow.frameio.folders import LOOK_SECONDS
from postflow.ledger import DELIVERED, Claimed
from postflow.ledger.known_ids import Sibling
from postflow.models import BYTES_ARE_IN, Folder, FrozenModel, MediaFile, RemoteFile, nfc

from .stacking import VersionGroup, find_stack

log = logging.getLogger(__name__)

CLOCK_SKEW = timedelta(minutes=5)
# A question of ours is with Frame.io by then, or was never asked.
ASKING = timedelta(minutes=10)


class Past(FrozenModel):
    """What earlier runs of ours know: what an unfinished one may have left in the folder, which
    files hold the same clip, of which size each, and which hold other clips or other exports.

    `begun_at`: when a run asked that never heard the answer. `travelling`: files of the same clip
    that are on their way from another path. `resumable`: the unfinished one can be gone on with.
    """

    resumable: bool = False
    file_id: str | None = None
    begun_at: datetime | None = None
    same: dict[str, int] = Field(default_factory=dict)
    travelling: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()

    @classmethod
    def known(
        cls,
        siblings: Sequence[Sibling],
        claim: Claimed | None,
        media: MediaFile,
        *,
        was_begun: bool,
        resumable: bool,
    ) -> Past:
        """By what the ledger has of the clip and its versions."""
        known = [each for each in siblings if each.file_id]
        same = {str(each.file_id): each for each in known if each.revision == media.revision}
        asked = claim.attempts if claim and was_begun else ()
        unheard = [attempt for attempt in asked[-1:] if attempt.file_id is None]
        own = claim.file_id if claim else None
        return cls(
            resumable=resumable,
            file_id=own,
            begun_at=unheard[-1].intended_at if unheard else None,
            same={its: each.size for its, each in same.items() if each.state in DELIVERED},
            travelling=frozenset(
                its for its, each in same.items() if each.state not in DELIVERED and its != own
            ),
            others=frozenset(str(each.file_id) for each in known) - same.keys(),
        )

    @property
    def is_blank(self) -> bool:
        """Has no run of ours begun, sent or seen this clip, so that a look may be a little old?"""
        return not self.ours and self.begun_at is None

    @property
    def ours(self) -> frozenset[str]:
        """Files of this very clip, wherever people have put them and whatever they call them."""
        own = {self.file_id} if self.file_id else set()
        return frozenset(self.same) | self.travelling | own


class Found(FrozenModel):
    """What the folder holds: the clip itself, all ids of its name, and whether it has relatives.

    `unfinished`: the file of ours that is to be gone on with.
    """

    remote: RemoteFile | None
    known: frozenset[str]
    alone: bool
    unfinished: RemoteFile | None = None


async def find_delivered(
    frameio: FrameioClient, folder: Folder, media: MediaFile, group: VersionGroup, past: Past
) -> Found:
    """Look for `media` in `folder`, loose or stacked. Dead placeholders of ours are removed, but
    for one that can be gone on with. The first clip of a folder that we have just made has nothing
    to look for.

    Frame.io publishes no checksum: a file of our name and size that was created after ours was
    last written is taken for the same clip, unless we know better, whatever the times say. Raises
    Retry when one is on its way this moment.
    """
    if past.is_blank and frameio.folders.take_new(folder):
        return Found(remote=None, known=frozenset(), alone=True)
    age = LOOK_SECONDS if past.is_blank else 0.0
    contents = await frameio.folders.contents(folder, age=age)
    if media.name in contents.unread:
        raise UNKNOWN_ITEM(name=media.name)
    stack = await find_stack(frameio, group, folder, contents)
    stacked = await frameio.stacks.versions(stack, media.name) if stack else []
    here = [*contents.files, *stacked]
    namesakes = [f for f in here if nfc(f.name) == media.name or f.id in past.ours]
    known = {file.id for file in namesakes}
    unfinished: RemoteFile | None = None
    elsewhere = await _of_ids(frameio, folder, past.ours - {file.id for file in here})
    for listed in (*namesakes, *elsewhere):
        if not _may_be(listed, media, past):
            continue
        judged = await _judge(frameio, folder, media, listed, past)
        if isinstance(judged, RemoteFile):
            log.info("%s is in Frame.io already.", media.name)
            return Found(remote=judged, known=frozenset(known), alone=False)
        if judged == "gone":
            known.discard(listed.id)
        elif judged == "unfinished":
            unfinished = listed
    gone = {file.id for file in namesakes} - known | ({unfinished.id} if unfinished else set())
    relatives = {file.id for file in (*group.loose(contents), *stacked)}
    alone = relatives <= gone
    return Found(remote=None, known=frozenset(known), alone=alone, unfinished=unfinished)


async def _of_ids(frameio: FrameioClient, folder: Folder, ids: frozenset[str]) -> list[RemoteFile]:
    """Our files that people moved to another place; those that are gone are left out."""
    found = [await frameio.files.find(folder.account_id, file_id) for file_id in sorted(ids)]
    return [file for file in found if file]


async def _judge(
    frameio: FrameioClient, folder: Folder, media: MediaFile, listed: RemoteFile, past: Past
) -> RemoteFile | Literal["gone", "other", "unfinished"]:
    """The file, if it is the whole clip. What our runs left is removed, what is not ours stays.

    The file is asked for after its status: a listing is older than both, and proves nothing.
    """
    try:
        status = await frameio.files.status(listed)
    except Fatal as error:
        if error.code != "frameio.not_found":
            raise
        return "gone"
    remote = await frameio.files.find(folder.account_id, listed.id)
    if remote is None:
        return "gone"
    if status.complete and (remote.size == media.size or _is_whole_by_us(remote, past)):
        return remote
    if remote.id == past.file_id and past.resumable and not (status.complete or status.failed):
        return "unfinished"
    if _is_ours(remote, media, past):
        await frameio.files.delete(remote)
        return "gone"
    if status.failed or (status.complete and remote.size is not None):
        return "other"
    raise UNKNOWN_ITEM(name=media.name) if remote.size is None else _in_progress(media, folder)


def _in_progress(media: MediaFile, folder: Folder) -> Retry:
    return Retry(
        "Another upload of {name} is on its way to {folder}.",
        hint="Wait for it to end; if nothing is uploading, delete the empty placeholder "
        "in Frame.io and try again.",
        code="frameio.in_progress",
        name=media.name,
        folder=folder.label,
    )


def _is_whole_by_us(remote: RemoteFile, past: Past) -> bool:
    """Was it proven whole before, of this size or one that Frame.io does not say any more?

    Metadata written into the file since then change the size on disk only.
    """
    return remote.id in past.same and remote.size in (past.same[remote.id], None)


def _may_be(remote: RemoteFile, media: MediaFile, past: Past) -> bool:
    """An unfinished placeholder may not know its size yet."""
    if remote.id in past.others:
        return False
    if remote.id in past.travelling or _is_ours(remote, media, past):
        return True
    if remote.id in past.same:
        return remote.status != "created" and remote.size in (past.same[remote.id], None)
    is_empty = remote.status not in BYTES_ARE_IN and not remote.size
    fits = remote.size in (media.size, None) or is_empty
    return fits and remote.created_at >= media.modified - CLOCK_SKEW


def _is_ours(remote: RemoteFile, media: MediaFile, past: Past) -> bool:
    """Made by a run of ours that died: by its id, or by the time at which it had asked.

    What came later is a person's upload, or another run's.
    """
    if remote.id == past.file_id:
        return True
    if past.begun_at is None or remote.id in past.travelling:
        return False
    if not -CLOCK_SKEW <= remote.created_at - past.begun_at <= ASKING:
        return False
    return remote.status == "created" or remote.size == media.size
