"""One clip's way as the ledger remembers it: intent, effect, outcome."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from postflow.errors import PostFlowError, Retry, Skip, lies_outside
from postflow.ledger import (
    DELIVERED,
    Announcement,
    AsyncLedger,
    Claimed,
    Namesake,
    ShareWish,
    StaleClaim,
    State,
    Target,
    claims,
    known_ids,
    progress,
    queue,
    registry,
    transitions,
)
from postflow.ledger.outbox import Reword
from postflow.models import Folder, MediaFile, RemoteFile, Shot, UploadPart
from postflow.naming.version import version_key

from .adoption import Past
from .arrival import Sending
from .claim import HeldClaim
from .stacking import Stacked
from .unfinished import UnfinishedUpload

log = logging.getLogger(__name__)

MOST_RUNS_PER_CLIP = 8


class DeliveryRecord(HeldClaim):
    """Without a claim the clip was delivered before, and a person looks after it once more."""

    def __init__(
        self,
        ledger: AsyncLedger,
        claim: Claimed | None,
        *,
        by_hand: bool,
        watched: bool = True,
        clip_id: int | None = None,
        is_confirmed: bool = False,
    ) -> None:
        """`watched`: later `ingest` runs look after its folder. `clip_id`: where no claim is.

        `is_confirmed`: it was delivered, and Frame.io was asked a moment ago whether it is there.
        """
        super().__init__(ledger, claim)
        self.is_confirmed = is_confirmed
        self.is_by_hand = by_hand
        self.clip_id = claim.clip_id if claim else clip_id
        self.parts = UnfinishedUpload(self)
        self._begun = claim is not None and claim.state is not State.READY
        self._watched = watched
        self._announced = False
        self._unstacked: PostFlowError | None = None
        self.stack_follows = False
        """Its stack is left to the queue."""

    @property
    def key(self) -> str | None:
        """Names the clip's message; None when there is nothing new to tell."""
        return f"clip-{self.claim.clip_id}" if self.claim else None

    @property
    def is_of_a_batch(self) -> bool:
        """One message tells of many clips, this one among them."""
        return self.claim is not None and self.claim.batch_id is not None

    async def is_announced_elsewhere(self) -> bool:
        """Is the same content told of under another path, so that there is nothing new to tell?"""
        return bool(await self.write(registry.is_announced_elsewhere))

    async def namesake(self) -> Namesake | None:
        """Other content of this name and version that is in Frame.io already."""
        return await self.write(registry.namesake)

    async def cancel(self, how: str) -> None:
        """A person wants the clip stopped, unless it is delivered."""
        await self.write(queue.mark_cancelled, how)

    async def how_cancelled(self) -> str | None:
        """How a person cancelled the clip, if it can still be stopped."""
        return None if self._is_delivered else await self.write(queue.how_cancelled)

    @property
    def begun(self) -> Claimed | None:
        """The claim, where something of the clip may be in Frame.io."""
        claim = self.claim
        return claim if claim and claim.state in {State.REQUESTING, State.REQUESTED} else None

    async def note_progress(self, sent: int, rate: float) -> None:
        """For whoever asks from elsewhere. A busy ledger is no fault: it is told later."""
        try:
            await self.write(progress.note, sent, rate)
        except PostFlowError as error:
            log.debug("How far the clip is could not be noted: %s", error)

    async def asking(self, folder: Folder, shot: Shot, sending: Sending) -> None:
        """About to ask Frame.io for a file that the clip is to fill."""
        target = _target(folder, shot)
        way, exposure = sending.way, sending.exposure
        await self.advance(transitions.intend_request, target, way=way, exposure=exposure)

    async def asked(
        self, remote: RemoteFile, *, parts: Sequence[UploadPart] = (), adopted: bool = False
    ) -> None:
        """Frame.io has a file for the clip; these `parts` of it are ours to send."""
        await self.advance(
            transitions.requested, remote.id, view_url=remote.view_url, adopted=adopted, parts=parts
        )

    async def arrived(self, folder: Folder, shot: Shot, remote: RemoteFile) -> None:
        """The clip is whole in Frame.io, by whatever way it got there."""
        if not self._is_delivered:
            await self._arrive(_target(folder, shot), remote)

    async def arrived_unheard(self, remote: RemoteFile) -> None:
        """Whole in Frame.io by the work of a dead run. Whoever claims the clip next finishes it."""
        about = {name: getattr(self.claim, name) for name in Target.model_fields}
        await self._arrive(Target.model_validate(about), remote)
        await self.write(claims.release)
        self.claim = None

    async def _arrive(self, target: Target, remote: RemoteFile) -> None:
        claim = self.claim
        if claim and (claim.state is not State.REQUESTED or claim.file_id != remote.id):
            await self.advance(transitions.intend_request, target, way="adopted")
            await self.asked(remote, adopted=True)
        await self.advance(transitions.arrived, view_url=remote.view_url)

    async def has_siblings(self, folder: Folder, shot: Shot) -> bool:
        """Are other versions of the clip there? One that is on its way sees this one itself."""
        siblings = await self.ledger.run(known_ids.siblings, folder.id, shot.stack)
        mine = self.claim.clip_id if self.claim else None
        return any(each.clip_id != mine and each.state in DELIVERED for each in siblings)

    async def past(
        self, folder: Folder, stack: str, media: MediaFile, *, resumable: bool = False
    ) -> Past:
        """What is known of the files in the folder: of earlier attempts, of this and other clips.

        What a dead run asked without hearing the answer is known by when it asked.
        """
        siblings = await self.ledger.run(known_ids.siblings, folder.id, stack)
        return Past.known(siblings, self.claim, media, was_begun=self._begun, resumable=resumable)

    @property
    def stack_id(self) -> str | None:
        """The stack an earlier run of ours, now dead, has put the clip on."""
        is_there = self.claim is not None and self.claim.state is State.STACKED
        return self.claim.stack_id if self.claim and is_there else None

    async def stacking(self) -> None:
        """About to touch the version stack. Raises Retry while another host does."""
        await self.advance(known_ids.intend_stack)

    async def stacked(self, made: Stacked, *, reword: Reword | None = None) -> None:
        """It is on the stack, as are others that may have waited for it, whose messages change."""
        await self.advance(known_ids.stacked, made.stack.id, file_ids=made.file_ids, reword=reword)

    @property
    def may_leave_stack(self) -> bool:
        """Do later `ingest` runs look after it?"""
        return self.claim is not None and self._watched

    def not_stacked(self, why: PostFlowError) -> bool:
        """Could not be stacked. Is that left to a later `ingest` run?"""
        self._unstacked = why
        return self._stack_may_wait

    async def announce(self, announcement: Announcement) -> None:
        """What the clip's own message says while it travels."""
        await self.write(transitions.announce, announcement)
        self._announced = True

    async def done(
        self,
        announce: Announcement | None = None,
        *,
        share: ShareWish | None = None,
        reword: Reword | None = None,
    ) -> None:
        """The clip is delivered, and its message in the outbox, in one transaction.

        If it is not stacked yet, the ledger keeps the stacking for the queue, or for a later run.
        `reword` changes what was told of one that waited for its stack, once it waits no more.
        """
        why = self._unstacked
        if self.stack_follows:
            await self.write(transitions.leave_stack, announce=announce, share=share)
        elif why and self._stack_may_wait:
            await self.write(transitions.postpone_stack, why, announce=announce, share=share)
        else:
            await self.write(
                transitions.done, note=why, announce=announce, share=share, reword=reword
            )
        self.claim = None

    async def end(
        self,
        why: PostFlowError,
        announce: Announcement | None = None,
        *,
        waiting: Announcement | None = None,
    ) -> None:
        """The clip does not arrive in this run: skipped, put off, or failed until a person acts.

        A delivery that only lacks its stack or its message stays a delivery. Who hands over a clip
        that is skipped is told on the spot, others by the announcement, which also takes back what
        was announced; `waiting` does so where it is put off.
        """
        if isinstance(why, StaleClaim):
            return
        if self._is_delivered:
            await self._end_delivered(why)
        elif why.code == "file.changed":
            await self.write(transitions.supersede, why, announce=announce)
        elif isinstance(why, Skip):
            told = announce if self._announced or not self.is_by_hand else None
            await self.write(transitions.skip, why, announce=told)
        elif self.waits_for(why):
            await self.write(transitions.postpone, why, announce=announce, waiting=waiting)
        elif isinstance(why, Retry) and self.may_be_put_off:
            await self.write(transitions.postpone, why, waiting=waiting)
        else:
            await self.write(transitions.fail, why, announce=announce)
        self.claim = None

    async def _end_delivered(self, why: PostFlowError) -> None:
        """Nothing more is to be had of it now, whatever the reason: its last steps come later."""
        if self.is_by_hand:
            await self.write(claims.release)
        elif self.may_be_put_off or self.waits_for(why):
            await self.write(transitions.postpone, why)
        else:
            await self.write(transitions.done, note=why)

    async def give_back(self) -> None:
        """Its end could not be written down: it does not stay with a run that lives on."""
        try:
            await self.write(claims.release)
        except PostFlowError as error:
            name = self.claim.name if self.claim else ""
            log.warning("%s is still held by this run: %s", name, error)
        else:
            self.claim = None

    def waits_for(self, why: PostFlowError) -> bool:
        """Is the reason none of its own, so that it goes by itself once that is mended?"""
        return not self.is_by_hand and lies_outside(why)

    @property
    def may_be_put_off(self) -> bool:
        """A watched clip is tried again by itself, but not for ever."""
        return not self.is_by_hand and self._has_tries_left

    @property
    def _stack_may_wait(self) -> bool:
        """A later run can stack it: also a clip sent by hand, if its folder is watched."""
        why = self._unstacked
        may = isinstance(why, Retry) and self._has_tries_left
        return self._watched and why is not None and (may or lies_outside(why))

    @property
    def _has_tries_left(self) -> bool:
        return self.claim is not None and self.claim.tries < MOST_RUNS_PER_CLIP

    @property
    def _is_delivered(self) -> bool:
        return self.claim is not None and self.claim.state in DELIVERED


def _target(folder: Folder, shot: Shot) -> Target:
    return Target(
        account_id=folder.account_id,
        project_id=folder.project_id,
        folder_id=folder.id,
        folder=folder.label,
        stack=shot.stack,
        version_number=shot.version_number,
        version_key=version_key(shot.version),
        sequence=shot.sequence,
    )
