"""Stage: reviewers are told, in one message that changes with the clip."""

from __future__ import annotations

from contextlib import suppress

from postflow.delivery.record import DeliveryRecord
from postflow.discord.cards import (
    Card,
    failed_card,
    notice_card,
    on_its_way_card,
    ready_card,
    waiting_card,
)
from postflow.discord.relay import draft
from postflow.engine.stage import stage
from postflow.engine.studio import OpenStudio
from postflow.errors import PostFlowError
from postflow.ledger import Claimed, Draft
from postflow.models import Delivery, MediaFile, Shot

# A ledger that is busy or away for some minutes costs no clip its ending.
ASK_AGAIN = 5


@stage("announce departure", retries=ASK_AGAIN)
async def announce_departure(
    live: OpenStudio, media: MediaFile, clip: Shot, *, project: str, record: DeliveryRecord
) -> None:
    """The clip's message says "on its way"; a copy of one that was told of has no message."""
    message = _draft(live, record, on_its_way_card(media, clip, project=project))
    if message and not await record.is_told_elsewhere():
        await record.announce(message)
        live.notify()


@stage("announce", retries=ASK_AGAIN)
async def announce(
    live: OpenStudio, delivery: Delivery, *, project: str, record: DeliveryRecord
) -> None:
    """The journey is done, and the clip's message says "ready", with the link; likewise."""
    told = await record.is_told_elsewhere()
    card = ready_card(delivery, project=project, namesake=await record.namesake())
    await record.done(None if told else _draft(live, record, card))
    live.notify()


@stage("announce failure", retries=ASK_AGAIN)
async def announce_failure(
    live: OpenStudio,
    media: MediaFile,
    clip: Shot | None,
    error: PostFlowError,
    *,
    project: str,
    record: DeliveryRecord,
) -> None:
    """The journey ends without arrival. The clip's message says what a person can do.

    What is no clip's own fault is told once, in a message of its own, and the clip waits. Of one
    that is tried again the message it has says so.
    """
    card = failed_card(media, clip, error, project=project)
    waiting = waiting_card(media, clip, error, project=project) if clip else None
    await record.end(
        error,
        _ending(live, record, card, error),
        waiting=_draft(live, record, waiting) if waiting else None,
    )
    live.notify()


def told_of_failure(live: OpenStudio, claim: Claimed, why: PostFlowError) -> Draft | None:
    """What the message says of a clip that was claimed, and did not get as far as its own run."""
    card = failed_card(claim.media, _shot(live, claim), why, project=live.project)
    return _ending(live, DeliveryRecord(live.ledger, claim, by_hand=False), card, why)


def _shot(live: OpenStudio, claim: Claimed) -> Shot | None:
    """None where the name itself is the trouble."""
    with suppress(Exception):
        return live.naming.identify(claim.name)
    return None


def _ending(
    live: OpenStudio, record: DeliveryRecord, card: Card, why: PostFlowError
) -> Draft | None:
    if not record.waits_for(why):
        return _draft(live, record, card)
    if live.discord is None or record.key is None:
        return None
    key = f"{live.channel}/waits-{live.run_id}-{record.key}"
    text = f"{why} What waits for that goes by itself then."
    return draft(key, live.channel, notice_card("Clips are not delivered for now", text))


def _draft(live: OpenStudio, record: DeliveryRecord, card: Card) -> Draft | None:
    """Nothing is told of clips that were told of before, and of those in a batch's one message."""
    if live.discord is None or record.key is None or record.is_of_a_batch:
        return None
    return draft(f"{live.channel}/{record.key}", live.channel, card)
