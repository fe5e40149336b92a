"""A clip that does not travel on: what a dead run left of it in Frame.io does not stay there."""

from __future__ import annotations

from .adoption import find_delivered
from .clip_lock import one_at_a_time
from .errors import Fatal, PostFlowError, Skip
from .frameio import FrameioClient
from .journey import Journey
from .ledger import DELIVERED, AsyncLedger, Claimed, Draft
from .naming import Naming

LOCK_LIMIT = 600.0


async def let_go(
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
    journey = Journey(ledger, claim, by_hand=False)
    try:
        if _is_over(why) and await _arrived(frameio, naming, journey, claim):
            return
    except PostFlowError as error:
        await journey.end(error)
        return
    await journey.end(why, announce)


def _is_over(why: PostFlowError) -> bool:
    return isinstance(why, Skip) or why.code == "file.changed"


async def _arrived(
    frameio: FrameioClient, naming: Naming, journey: Journey, claim: Claimed
) -> bool:
    """Is it whole in Frame.io? Then the ledger has it, before others look for the clip."""
    if claim.folder_id is None or claim.state in DELIVERED:
        return False
    folder = claim.destination
    try:
        async with one_at_a_time("clip", folder, claim.name, timeout=LOCK_LIMIT):
            family = await journey.family(naming, folder, str(claim.stack))
            past = await journey.past(folder, str(claim.stack), claim.media)
            found = await find_delivered(frameio, folder, claim.media, family, past)
            if found.remote:
                await journey.arrived_unheard(found.remote)
    except Fatal as error:
        if error.code == "frameio.not_found":
            return False
        raise
    return found.remote is not None
