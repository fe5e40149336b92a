"""One clip's way as the ledger remembers it: intent, effect, outcome."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from unicodedata import normalize

from postflow.errors import Fatal, PostFlowError, Retry, Skip, lies_outside
from postflow.folder.enrolment import enrolled
from postflow.folder.root import AbsentError, RootMark, read_mark
from postflow.frameio import FrameioClient
from postflow.ledger import (
    DELIVERED,
    AsyncLedger,
    Claimed,
    Draft,
    Namesake,
    Registered,
    Root,
    StaleClaim,
    State,
    Target,
    claims,
    known_ids,
    observations,
    registry,
    retrying,
    roots,
    transitions,
)
from postflow.locks import one_at_a_time
from postflow.media import volume
from postflow.media.probe import demand_media
from postflow.media.sighting import Sighting
from postflow.models import Exposure, Folder, MediaFile, RemoteFile, Shot
from postflow.naming import Naming
from postflow.naming.version import version_key

from .adoption import Past, find_delivered
from .stacking import VersionGroup

log = logging.getLogger(__name__)

LONGEST_TRIES = 8
NOT_OURS = frozenset({"folder.away", "folder.taken", "folder.not_enrolled"})
TARGET = tuple(Target.model_fields)


class DeliveryRecord:
    """The claim on a clip, kept current. Without a claim nothing is written: the clip was
    delivered before, and a person looks after it once more.
    """

    def __init__(
        self,
        ledger: AsyncLedger,
        claim: Claimed | None,
        *,
        by_hand: bool,
        watched: bool = True,
        clip_id: int | None = None,
        is_seen: bool = False,
    ) -> None:
        """`watched`: later `ingest` runs look after its folder. `clip_id`: where no claim is.

        `is_seen`: it was delivered, and Frame.io was asked a moment ago whether it is there.
        """
        self.is_seen = is_seen
        self.is_by_hand = by_hand
        self.clip_id = claim.clip_id if claim else clip_id
        self._ledger = ledger
        self._claim = claim
        self._begun = claim is not None and claim.state is not State.READY
        self._watched = watched
        self._announced = False
        self._unstacked: PostFlowError | None = None

    @property
    def key(self) -> str | None:
        """Names the clip's message; None when there is nothing new to tell."""
        return f"clip-{self._claim.clip_id}" if self._claim else None

    @property
    def is_of_a_batch(self) -> bool:
        """One message tells of many clips, this one among them."""
        return self._claim is not None and self._claim.batch_id is not None

    async def is_told_elsewhere(self) -> bool:
        """Is the same content told of under another path, so that there is nothing new to tell?"""
        return self._claim is not None and await self._ledger.run(
            registry.is_announced_elsewhere, self._claim
        )

    async def namesake(self) -> Namesake | None:
        """Other content of this name and version that is in Frame.io already."""
        return await self._ledger.run(registry.namesake, self._claim) if self._claim else None

    async def asking(self, folder: Folder, shot: Shot, exposure: Exposure | None) -> None:
        """About to ask Frame.io to fetch the clip."""
        if self._claim:
            self._claim = await self._ledger.run(
                transitions.intend_request,
                self._claim,
                _target(folder, shot),
                way="tunnel",
                exposure=exposure.id if exposure else None,
            )

    async def asked(self, remote: RemoteFile, *, adopted: bool = False) -> None:
        """Frame.io has a file for the clip."""
        if self._claim:
            self._claim = await self._ledger.run(
                transitions.requested,
                self._claim,
                remote.id,
                view_url=remote.view_url,
                adopted=adopted,
            )

    async def arrived(self, folder: Folder, shot: Shot, remote: RemoteFile) -> None:
        """The clip is whole in Frame.io, by whatever way it got there."""
        if self._claim is None or self._is_delivered:
            return
        if self._claim.state is not State.REQUESTED or self._claim.file_id != remote.id:
            await self.asking(folder, shot, None)
            await self.asked(remote, adopted=True)
        self._claim = await self._ledger.run(
            transitions.arrived, self._claim, view_url=remote.view_url
        )

    async def has_mates(self, folder: Folder, shot: Shot) -> bool:
        """Are other versions of the clip there, or on their way?"""
        mates = await self._ledger.run(known_ids.siblings, folder.id, shot.stack)
        mine = self._claim.clip_id if self._claim else None
        return any(mate.clip_id != mine for mate in mates)

    async def past(self, folder: Folder, stack: str, media: MediaFile) -> Past:
        """What is known of the files in the folder: of earlier attempts, of this and other clips.

        What a dead run asked without hearing the answer is known by when it asked.
        """
        mates = [
            mate
            for mate in await self._ledger.run(known_ids.siblings, folder.id, stack)
            if mate.file_id
        ]
        same = {str(mate.file_id): mate for mate in mates if mate.revision == media.revision}
        asked = self._claim.attempts if self._claim and self._begun else ()
        unheard = [attempt for attempt in asked[-1:] if attempt.file_id is None]
        own = self._claim.file_id if self._claim else None
        return Past(
            file_id=own,
            begun_at=unheard[-1].intended_at if unheard else None,
            same={its: mate.size for its, mate in same.items() if mate.state in DELIVERED},
            travelling=frozenset(
                its for its, mate in same.items() if mate.state not in DELIVERED and its != own
            ),
            others=frozenset(str(mate.file_id) for mate in mates) - same.keys(),
        )

    async def group(self, naming: Naming, folder: Folder, stack: str) -> VersionGroup:
        """What belongs on that stack of that folder, by the ids that we know."""
        mates = await self._ledger.run(known_ids.siblings, folder.id, stack)
        ours = {mate.file_id: mate.name for mate in mates if mate.state in DELIVERED}
        return VersionGroup(
            naming,
            stack,
            ours={file_id: name for file_id, name in ours.items() if file_id},
            stack_id=await self._ledger.run(known_ids.stack_of, folder.id, stack),
        )

    @property
    def stack_id(self) -> str | None:
        """The stack an earlier run of ours, now dead, has put the clip on."""
        is_there = self._claim is not None and self._claim.state is State.STACKED
        return self._claim.stack_id if self._claim and is_there else None

    async def stacking(self) -> None:
        """About to touch the version stack. Raises Retry while another host does."""
        if self._claim:
            self._claim = await self._ledger.run(known_ids.intend_stack, self._claim)

    async def stacked(self, stack_id: str) -> None:
        if self._claim:
            self._claim = await self._ledger.run(known_ids.stacked, self._claim, stack_id)

    def not_stacked(self, why: PostFlowError) -> bool:
        """Could not be stacked. Is that left to a later `ingest` run?"""
        self._unstacked = why
        return self._stack_may_wait

    async def announce(self, draft: Draft) -> None:
        """What the clip's own message says while it travels."""
        if self._claim:
            await self._ledger.run(transitions.announce, self._claim, draft)
            self._announced = True

    async def done(self, announce: Draft | None = None) -> None:
        """Delivered; the announcement is in the outbox with the same stroke.

        A stack that was not to be had just now keeps the clip in the ledger, and nobody waiting.
        """
        why = self._unstacked
        if self._claim and why and self._stack_may_wait:
            await self._ledger.run(transitions.postpone_stack, self._claim, why, announce=announce)
        elif self._claim:
            await self._ledger.run(transitions.done, self._claim, note=why, announce=announce)
        self._claim = None

    async def end(
        self, why: PostFlowError, announce: Draft | None = None, *, waiting: Draft | None = None
    ) -> None:
        """The clip does not arrive in this run: skipped, put off, or failed until a person acts.

        A delivery that only lacks its stack or its message stays a delivery. Who hands over a clip
        that is skipped is told on the spot, others by the announcement, which also takes back what
        was announced; `waiting` does so where it is put off.
        """
        if self._claim is None or isinstance(why, StaleClaim):
            return
        if self._is_delivered:
            await self._end_delivered(self._claim, why)
        elif why.code == "file.changed":
            await self._ledger.run(transitions.supersede, self._claim, why, announce=announce)
        elif isinstance(why, Skip):
            told = announce if self._announced or not self.is_by_hand else None
            await self._ledger.run(transitions.skip, self._claim, why, announce=told)
        elif self.waits_for(why):
            await self._ledger.run(
                transitions.postpone, self._claim, why, announce=announce, waiting=waiting
            )
        elif isinstance(why, Retry) and self.may_be_put_off:
            await self._ledger.run(transitions.postpone, self._claim, why, waiting=waiting)
        else:
            await self._ledger.run(transitions.fail, self._claim, why, announce=announce)
        self._claim = None

    async def _end_delivered(self, claim: Claimed, why: PostFlowError) -> None:
        """Nothing more is to be had of it now, whatever the reason: its last steps come later."""
        if self.is_by_hand:
            await self._ledger.run(claims.release, claim)
        elif self.may_be_put_off or self.waits_for(why):
            await self._ledger.run(transitions.postpone, claim, why)
        else:
            await self._ledger.run(transitions.done, claim, note=why)

    async def skip(self, why: Skip, announce: Draft | None) -> None:
        """The clip does not travel; its announcement is in the outbox with the same stroke."""
        if self._claim:
            await self._ledger.run(transitions.skip, self._claim, why, announce=announce)
            self._claim = None

    async def arrived_unheard(self, remote: RemoteFile) -> None:
        """Whole in Frame.io by the work of a dead run. Whoever claims the clip next finishes it."""
        claim = self._claim
        if claim is None:
            return
        if claim.state is not State.REQUESTED or claim.file_id != remote.id:
            target = Target.model_validate({name: getattr(claim, name) for name in TARGET})
            claim = await self._ledger.run(transitions.intend_request, claim, target, way="tunnel")
            claim = await self._ledger.run(
                transitions.requested, claim, remote.id, view_url=remote.view_url, adopted=True
            )
        await self._ledger.run(
            claims.release,
            await self._ledger.run(transitions.arrived, claim, view_url=remote.view_url),
        )
        self._claim = None

    async def give_back(self) -> None:
        """Its end could not be written down: it does not stay with a run that lives on."""
        if self._claim is None:
            return
        try:
            await self._ledger.run(claims.release, self._claim)
        except PostFlowError as error:
            log.warning("%s is still held by this run: %s", self._claim.name, error)
        else:
            self._claim = None

    def waits_for(self, why: PostFlowError) -> bool:
        """Is the reason none of its own, so that it goes by itself once that is mended?"""
        return not self.is_by_hand and lies_outside(why)

    @property
    def may_be_put_off(self) -> bool:
        """A watched clip is tried again by itself, but not for ever."""
        return not self.is_by_hand and self._has_tries_left

    @property
    def _stack_may_wait(self) -> bool:
        """Also one by hand, in a folder that `ingest` looks after: nobody has to be there."""
        why = self._unstacked
        may = isinstance(why, Retry) and self._has_tries_left
        return self._watched and why is not None and (may or lies_outside(why))

    @property
    def _has_tries_left(self) -> bool:
        return self._claim is not None and self._claim.tries < LONGEST_TRIES

    @property
    def _is_delivered(self) -> bool:
        return self._claim is not None and self._claim.state in DELIVERED


IsGone = Callable[[str, str], Awaitable[bool]]
"""Is there no such file in Frame.io any more, by its account and its id?"""


async def open_by_hand(
    ledger: AsyncLedger,
    studio: str,
    media: MediaFile,
    *,
    folders: Sequence[Path],
    run_id: str,
    is_gone: IsGone,
) -> DeliveryRecord:
    """The journey of a clip that a person hands over, whole by their word.

    One that was delivered, and is gone from Frame.io, travels once more. Raises Retry `clip.busy`
    while another run has it, Skip `file.no_media` for what is no media container.
    """
    await demand_media(media.path)
    root, watched = await _root_by_hand(ledger, studio, media, folders)
    await ledger.run(observations.observe, root, [_sighting(root.path, media)])
    entry = await ledger.run(registry.register, root, media)
    if entry is None:
        raise _busy(media)
    if entry.delivered:
        is_seen = await _is_seen(entry, is_gone)
        if is_seen or not await _is_to_be_redone(ledger, entry):
            return DeliveryRecord(
                ledger, None, by_hand=True, clip_id=entry.clip_id, is_seen=is_seen
            )
        # it goes as it is now, not as it went then
        await ledger.run(registry.register, root, media)
    if entry.state in {State.FAILED, State.SKIPPED}:
        await ledger.run(retrying.retry, clip_id=entry.clip_id)
    claim = await ledger.run(claims.claim_clip, run_id, entry.clip_id, folders={root.id: root.path})
    if claim is None:
        raise _busy(media)
    return DeliveryRecord(ledger, claim, by_hand=True, watched=watched)


async def _root_by_hand(
    ledger: AsyncLedger, studio: str, media: MediaFile, folders: Sequence[Path]
) -> tuple[Root, bool]:
    """The folder of the clip, and whether later `ingest` runs look after it.

    That is the watch folder where it is enrolled. Elsewhere one clip says nothing of the others.
    """
    folder = next((each for each in folders if media.path.is_relative_to(each)), None)
    if folder is None:
        return await ledger.run(roots.add, studio, media.path.parent), False
    here = folder
    mark = await volume.ask(lambda: _mark(here))
    try:
        if mark:
            found = mark
            return await ledger.run(enrolled, studio, here, found), True
    except Retry as why:
        if why.code not in NOT_OURS:
            raise
        log.warning("%s is sent by hand. %s", media.name, why)
    return await ledger.run(roots.add, studio, folder), False


async def _is_seen(entry: Registered, is_gone: IsGone) -> bool:
    if entry.account_id is None or entry.file_id is None:
        return False
    return not await is_gone(entry.account_id, entry.file_id)


async def _is_to_be_redone(ledger: AsyncLedger, entry: Registered) -> bool:
    if entry.file_id is None:
        return False
    return await ledger.run(retrying.redo, entry.clip_id, entry.file_id)


def changed(media: MediaFile) -> Retry:
    return Retry(
        f"{media.name} changed on disk meanwhile.",
        hint="Wait until the export is finished; it is then sent again.",
        code="file.changed",
    )


def _mark(folder: Path) -> RootMark | None:
    try:
        return read_mark(folder)
    except AbsentError:
        return None


def _relpath(folder: Path, media: MediaFile) -> str:
    return normalize("NFC", media.path.relative_to(folder).as_posix())


def _sighting(folder: Path, media: MediaFile) -> Sighting:
    return Sighting(
        relpath=_relpath(folder, media),
        path=media.path,
        size=media.size,
        mtime_ns=media.mtime_ns,
    )


def _target(folder: Folder, shot: Shot) -> Target:
    return Target(
        account_id=folder.account_id,
        project_id=folder.project_id,
        folder_id=folder.id,
        folder=folder.label,
        stack=shot.stack,
        version_number=shot.version_number,
        version_key=version_key(shot.version),
    )


def _busy(media: MediaFile) -> Retry:
    return Retry(
        f"Another run is delivering {media.name} at this moment.",
        hint="Look for it in the Prefect UI; cancel it if it hangs.",
        code="clip.busy",
    )


LOCK_LIMIT = 600.0


async def abandon(
    ledger: AsyncLedger,
    frameio: FrameioClient,
    naming: Naming,
    claim: Claimed,
    why: PostFlowError,
    announce: Draft | None = None,
) -> None:
    """End the journey of a clip that its run has not taken over.

    If it is not to travel any more, an unfinished file of it is removed first. One that arrived
    while nobody heard is a delivery, which the next claim finishes. If Frame.io cannot be asked,
    the clip is put off.
    """
    record = DeliveryRecord(ledger, claim, by_hand=False)
    try:
        if _is_over(why) and await _arrived(frameio, naming, record, claim):
            return
    except PostFlowError as error:
        await record.end(error)
        return
    await record.end(why, announce)


def _is_over(why: PostFlowError) -> bool:
    return isinstance(why, Skip) or why.code == "file.changed"


async def _arrived(
    frameio: FrameioClient, naming: Naming, record: DeliveryRecord, claim: Claimed
) -> bool:
    """Is it whole in Frame.io? Then the ledger has it, before others look for the clip."""
    if claim.folder_id is None or claim.state in DELIVERED:
        return False
    folder = claim.destination
    try:
        async with one_at_a_time("clip", folder.id, clip=claim.name, timeout=LOCK_LIMIT):
            group = await record.group(naming, folder, str(claim.stack))
            past = await record.past(folder, str(claim.stack), claim.media)
            found = await find_delivered(frameio, folder, claim.media, group, past)
            if found.remote:
                await record.arrived_unheard(found.remote)
    except Fatal as error:
        if error.code == "frameio.not_found":
            return False
        raise
    return found.remote is not None
