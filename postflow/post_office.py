"""Sends what waits in the outbox: each message once, edited in place when its content changes."""

from __future__ import annotations

import logging

from pydantic import ValidationError

from postflow.discord import Card, DiscordClient, batch_card
from postflow.errors import Fatal, Retry
from postflow.ledger import AsyncLedger, Draft, Message, StaleClaim

log = logging.getLogger(__name__)

SUMMARY_PAUSE = 10.0


def draft(key: str, channel: str, card: Card) -> Draft:
    """What the outbox keeps of a card. One key is one message."""
    return Draft(key=key, channel=channel, payload=card.model_dump(mode="json"))


async def send_due(
    ledger: AsyncLedger, discord: DiscordClient, run_id: str, *, channel: str
) -> int:
    """Send all that is due in the channel; how many arrived. What fails waits for later.

    The message of a batch is brought up to date first, no more often than every 10 s.
    """
    await tell_batches(ledger, channel, pause=SUMMARY_PAUSE)
    arrived = 0
    for message in await ledger.due(channel=channel):
        arrived += await _send(ledger, discord, message, run_id)
    return arrived


async def tell_batches(ledger: AsyncLedger, channel: str, *, pause: float) -> None:
    """Have the outbox hold what has become of the channel's batches, whichever run began them."""
    for batch in await ledger.untold_batches(channel, pause=pause):
        message = draft(f"{channel}/batch-{batch.id}", channel, batch_card(batch))
        await ledger.tell_batch(batch, message)


async def _send(ledger: AsyncLedger, discord: DiscordClient, message: Message, run_id: str) -> bool:
    try:
        offered = await ledger.sending(message, run_id)
    except StaleClaim:
        return False
    try:
        message_id = await _show(discord, offered)
    except Retry as error:
        log.warning("Discord was not told: %s", error)
        if error.code == "discord.unknown_outcome":
            await ledger.unknown(offered, error)
        else:
            await ledger.not_sent(offered, error)
        return False
    except Fatal as error:
        log.warning("Discord was not told: %s", error)
        await ledger.refused(offered, error)
        return False
    await ledger.sent(offered, message_id)
    return True


async def _show(discord: DiscordClient, message: Message) -> str:
    try:
        card = Card.model_validate(message.payload)
    except ValidationError as error:
        raise Fatal(
            f"The announcement {message.key} was written by another version of PostFlow.",
            hint="Nothing to do: its clip is not affected.",
            code="discord.foreign_card",
        ) from error
    if message.message_id:
        return await discord.edit(message.message_id, card)
    return await discord.post(card)
