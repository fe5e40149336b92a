"""One clip's delivery: what its stages share, and how it is ended before they begin."""

from __future__ import annotations

from datetime import UTC, datetime

from postflow.errors import Fatal, PostFlowError, Skip
from postflow.frameio import FrameioClient
from postflow.ledger import DELIVERED, Announcement, AsyncLedger, Claimed
from postflow.ledger.queue import CANCELLED
from postflow.locks import one_at_a_time
from postflow.models import Arrival, Delivery, MediaFile, Shot, Transfer
from postflow.naming import Naming

from .adoption import find_delivered
from .record import DeliveryRecord
from .stacking import VersionGroup

LOCK_LIMIT = 600.0


class DeliveryJob:
    """The file as it is now, its record in the ledger, and where it goes."""

    def __init__(self, media: MediaFile, record: DeliveryRecord, *, project: str) -> None:
        """`project`: in Frame.io, by name or id. `shot` is known once the clip is identified;
        `transfer` is another way than the studio's.
        """
        self.media = media
        self.record = record
        self.project = project
        self.transfer: Transfer | None = None
        self.shot: Shot | None = None
        self.started = datetime.now(tz=UTC)

    def delivered(self, shot: Shot, arrival: Arrival, stack_id: str | None = None) -> Delivery:
        return Delivery(
            media=arrival.media,
            shot=shot,
            folder=arrival.folder,
            remote=arrival.remote,
            adopted=arrival.adopted or arrival.at < self.started,
            way=arrival.way,
            detour=arrival.detour,
            stack_id=stack_id,
            stack_follows=self.record.stack_follows,
            started=self.started,
            finished=datetime.now(tz=UTC),
        )


async def abandon(
    ledger: AsyncLedger,
    frameio: FrameioClient,
    naming: Naming,
    claim: Claimed,
    why: PostFlowError,
    announce: Announcement | None = None,
) -> None:
    """End the delivery of a clip that its run has not taken over.

    If it is not to travel any more, an unfinished file of it is removed first. One that arrived
    while nobody heard is a delivery, which the next claim finishes. If Frame.io cannot be asked,
    the clip is put off.
    """
    record = DeliveryRecord(ledger, claim, by_hand=False)
    is_over = isinstance(why, Skip) or why.code in {"file.changed", CANCELLED}
    try:
        if is_over and await _arrived(ledger, frameio, naming, record, claim):
            return
    except PostFlowError as error:
        await record.end(error)
        return
    await record.end(why, announce)


async def _arrived(
    ledger: AsyncLedger,
    frameio: FrameioClient,
    naming: Naming,
    record: DeliveryRecord,
    claim: Claimed,
) -> bool:
    """Is it whole in Frame.io? Then the ledger has it, before others look for the clip."""
    if claim.folder_id is None or claim.state in DELIVERED:
        return False
    folder = claim.destination
    try:
        async with one_at_a_time("clip", folder.id, clip=claim.name, timeout=LOCK_LIMIT):
            group = await VersionGroup.known(ledger, naming, folder, str(claim.stack))
            past = await record.past(folder, str(claim.stack), claim.media)
            found = await find_delivered(frameio, folder, claim.media, group, past)
            if found.remote:
                await record.arrived_unheard(found.remote)
    except Fatal as error:
        if error.code == "frameio.not_found":
            return False
        raise
    return found.remote is not None
