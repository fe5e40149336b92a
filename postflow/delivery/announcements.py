"""What the channel is to show of a clip, whose message changes with it, or of why clips wait.

A `channel` of None: the studio has no Discord, and nothing is announced.
"""

from __future__ import annotations

from contextlib import suppress

from postflow.discord.card import Card
from postflow.discord.cards import failed_card, notice_card
from postflow.errors import PostFlowError
from postflow.language import _, told
from postflow.ledger import Announcement, AsyncLedger, Claimed, queue
from postflow.models import MediaFile, Shot
from postflow.naming import Naming

from .record import DeliveryRecord


def of_clip(channel: str | None, record: DeliveryRecord, card: Card) -> Announcement | None:
    """None for a clip that was announced before, and for one of a batch, which has one message."""
    if channel is None or record.key is None or record.is_of_a_batch:
        return None
    return card.announcement(f"{channel}/{record.key}", channel)


def of_ending(
    channel: str | None, run_id: str, record: DeliveryRecord, card: Card, why: PostFlowError
) -> Announcement | None:
    """The clip's own message, or one for all the clips that wait for the same reason."""
    if not record.waits_for(why):
        return of_clip(channel, record, card)
    if channel is None or record.key is None:
        return None
    key = f"{channel}/waits-{run_id}-{record.key}"
    then = _("What waits for that goes by itself then.")
    return notice_card(
        _("Clips are not delivered for now"), f"{told(why.whole)} {then}"
    ).announcement(key, channel)


def of_claim(
    channel: str | None,
    ledger: AsyncLedger,
    naming: Naming,
    claim: Claimed,
    why: PostFlowError,
    *,
    project: str,
) -> Announcement | None:
    """The message of a clip that was claimed, and did not get as far as its own run."""
    card = failed_card(claim.media, _shot_of(naming, claim.name), why, project=project)
    record = DeliveryRecord(ledger, claim, by_hand=False)
    return of_ending(channel, claim.run_id, record, card, why)


def of_cancelled(
    channel: str | None,
    naming: Naming,
    clip_id: int,
    media: MediaFile,
    *,
    project: str,
    how: str = queue.BY_COMMAND,
) -> Announcement | None:
    """The message of a clip that was cancelled before a run had it."""
    if channel is None:
        return None
    why = queue.cancelled(media.name, how)
    card = failed_card(media, _shot_of(naming, media.name), why, project=project)
    return card.announcement(f"{channel}/clip-{clip_id}", channel)


def _shot_of(naming: Naming, name: str) -> Shot | None:
    with suppress(Exception):  # the name itself may be the trouble
        return naming.identify(name)
    return None
