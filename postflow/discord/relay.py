"""Sends what waits in the outbox: each message once, edited in place when its content changes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar

from pydantic import ValidationError

from postflow.errors import Fatal, PostFlowError, Retry, as_ours
from postflow.ledger import (
    AsyncLedger,
    Draft,
    Ledger,
    Message,
    StaleClaim,
    batches,
    outbox,
)
from postflow.ledger.errors import retry_while_busy
from postflow.media.probe import printable

from . import Card, DiscordClient, batch_card

log = logging.getLogger(__name__)

SUMMARY_PAUSE = 10.0
PULSE = 5.0
REST = 5.0
LONGEST_REST = 60.0
LAST_CHANCE = 10.0

T = TypeVar("T")


class OutboxRelay:
    """Sends what is due in a channel, in the background, while the `async with` lasts.

    It looks when it is rung and every `pulse` seconds, for other runs leave messages too. When
    Discord or the ledger is away it rests, `rest` seconds at first, and no ring wakes it. At the
    end it looks once more, and begins to send for 10 s at most.
    """

    def __init__(
        self,
        ledger: AsyncLedger,
        discord: DiscordClient,
        run_id: str,
        *,
        channel: str,
        pulse: float = PULSE,
        rest: float = REST,
    ) -> None:
        self._ledger = ledger
        self._discord = discord
        self._run_id = run_id
        self._channel = channel
        self._pulse = pulse
        self._rest = rest
        self._bell = asyncio.Event()
        self._closing = asyncio.Event()
        self._ends_at = float("inf")
        self._sender: asyncio.Task[None]
        self.untold: dict[str, str] = {}
        """What the channel did not get, or may not have got, by what it is about: why."""

    async def __aenter__(self) -> Self:
        self._sender = asyncio.create_task(self._work(), name="post office")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self._ends_at = time.monotonic() + LAST_CHANCE
        self._closing.set()
        self._bell.set()
        await self._sender

    def notify(self) -> None:
        """A message waits in the outbox."""
        self._bell.set()

    async def _work(self) -> None:
        troubles = 0
        while True:
            is_last = self._closing.is_set()
            self._bell.clear()
            trouble = await self._round(is_last)
            if is_last or (trouble and self._closing.is_set()):
                return
            troubles = troubles + 1 if trouble else 0
            await self._wait(trouble, troubles)
            if self._closing.is_set() and _asked_to_wait(trouble):
                return

    async def _round(self, is_last: bool) -> PostFlowError | None:
        """What stands in the way of sending, if anything does."""
        try:
            return await send_due(
                self._ledger,
                self._discord,
                self._run_id,
                channel=self._channel,
                pause=0.0 if is_last else SUMMARY_PAUSE,
                is_over=lambda: time.monotonic() > self._ends_at,
                untold=self.untold,
            )
        except PostFlowError as error:
            log.warning("Messages wait: %s", error)
            return error
        except Exception as error:
            log.exception("A fault of our own; messages wait:")
            return as_ours(error)

    async def _wait(self, trouble: PostFlowError | None, troubles: int) -> None:
        """Until it is worth another look, or the end."""
        event, seconds = self._bell, self._pulse
        if trouble:
            longer = min(self._rest * 2.0 ** min(troubles - 1, 20), LONGEST_REST)
            event, seconds = self._closing, max(_asked_to_wait(trouble), longer)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()


def _asked_to_wait(trouble: PostFlowError | None) -> float:
    """So many seconds Discord wants to be left alone by all of us."""
    return (trouble.retry_after or 0.0) if isinstance(trouble, Retry) else 0.0


def draft(key: str, channel: str, card: Card) -> Draft:
    """What the outbox keeps of a card. One key is one message."""
    return Draft(key=key, channel=channel, payload=card.model_dump(mode="json"))


async def send_due(
    ledger: AsyncLedger,
    discord: DiscordClient,
    run_id: str,
    *,
    channel: str,
    pause: float = SUMMARY_PAUSE,
    is_over: Callable[[], bool] = lambda: False,
    untold: dict[str, str] | None = None,
) -> Retry | None:
    """Send what is due in the channel, in order, until `is_over`; `untold` hears what failed.

    Ends with the first sign that Discord is away, and returns it: what is left waits untouched.
    The message of a batch is brought up to date first, no more often than every `pause` seconds.
    """
    await tell_batches(ledger, channel, pause=pause)
    for message in await ledger.run(outbox.due, channel=channel):
        if is_over():
            return None
        away = await _send(ledger, discord, message, run_id, {} if untold is None else untold)
        if away:
            return away
    return None


async def tell_batches(ledger: AsyncLedger, channel: str, *, pause: float) -> None:
    """Have the outbox hold what has become of the channel's batches, whichever run began them."""
    for batch in await ledger.run(batches.outdated, channel, pause=pause):
        try:
            card = batch_card(batch)
        except Exception:
            log.exception("A fault of our own, at the message of a batch; the others are sent:")
            continue
        await ledger.run(
            batches.publish, batch, draft(f"{channel}/batch-{batch.id}", channel, card)
        )


async def _send(
    ledger: AsyncLedger,
    discord: DiscordClient,
    message: Message,
    run_id: str,
    untold: dict[str, str],
) -> Retry | None:
    """A sign that Discord is away, if there was one."""
    try:
        offered = await ledger.run(outbox.sending, message, run_id)
    except StaleClaim:
        return None
    about = _about(offered)
    try:
        message_id = await _show(discord, offered)
    except Retry as error:
        log.warning("Discord was not told of %s: %s", about, error)
        untold[about] = str(error)
        lost = error.code == "discord.unknown_outcome"
        await _noted(ledger, outbox.unknown if lost else outbox.not_sent, offered, error)
        return error
    except Fatal as error:
        log.warning("Discord was not told of %s: %s", about, error)
        untold[about] = str(error)
        await _noted(ledger, outbox.refused, offered, error)
        return None
    except Exception as error:
        # Whether it is there nobody knows; left as it is, it would be "sending" for ever.
        log.exception("A fault of our own, at the message %s:", offered.key)
        untold[about] = str(as_ours(error))
        await _noted(ledger, outbox.unknown, offered, as_ours(error))
        return None
    untold.pop(about, None)
    await _noted(ledger, outbox.sent, offered, message_id)
    return None


async def _noted(
    ledger: AsyncLedger, note: Callable[[Ledger, Message, T], object], offered: Message, what: T
) -> None:
    """What became of a message is known here only, so a ledger that is busy is asked again.

    Given up, it would count as being sent for as long as this process lasts.
    """
    await retry_while_busy(
        lambda: ledger.run(note, offered, what), "A message's outcome is to be noted"
    )


def _about(message: Message) -> str:
    """The clip's file, or the title of what is about no clip."""
    about = message.payload.get("about")
    file = about.get("file") if isinstance(about, dict) else None
    return printable(str(file or message.payload.get("title") or message.key))


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
