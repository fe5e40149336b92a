"""Sends what waits in the outbox: each message once, edited in place when its content changes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, Self

from pydantic import ValidationError

from postflow.errors import Fatal, PostFlowError, Retry, as_ours, printable
from postflow.ledger import AsyncLedger, Ledger, Message, StaleClaim, batches, outbox
from postflow.ledger.errors import retry_while_busy
from postflow.media import picture

from .card import Card
from .summary import batch_card
from .webhook import Routes

log = logging.getLogger(__name__)

SUMMARY_PAUSE = 10.0
PULSE = 5.0
REST = 5.0
LONGEST_REST = 60.0
LAST_CHANCE = 10.0
CALL = "/call"

# Writes what became of a message.
Outcome = Callable[[Ledger, Message, Any], object]


class Channel(Protocol):
    """What shows messages: a `DiscordClient`."""

    routes: Routes

    async def post(
        self, card: Card, picture: bytes | None = None, *, thread_id: str | None = None
    ) -> str: ...

    async def edit(
        self,
        message_id: str,
        card: Card,
        picture: bytes | None = None,
        *,
        thread_id: str | None = None,
    ) -> str: ...


class NoChannel:
    """Stands in for Discord in a studio without it, whose feeds read the outbox all the same."""

    routes = Routes()

    async def post(self, *_: object, **__: object) -> str:
        return "none"

    async def edit(self, message_id: str, *_: object, **__: object) -> str:
        return message_id


class OutboxRelay:
    """Sends what is due in a channel, in the background, while the `async with` lasts.

    It reads the outbox when notified and every `pulse` seconds, for other runs leave messages too.
    When Discord or the ledger is away it rests, `rest` seconds at first, and no notification wakes
    it. At the end it reads the outbox once more, and begins to send for 10 s at most.
    """

    def __init__(
        self,
        ledger: AsyncLedger,
        discord: Channel,
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
        self._notified = asyncio.Event()
        self._closing = asyncio.Event()
        self._ends_at = float("inf")
        self._has_called = False
        self._worker: asyncio.Task[None]
        self.unsent: dict[str, str] = {}
        """What the channel did not get, or may not have got, by what it is about: why."""

    async def __aenter__(self) -> Self:
        self._worker = asyncio.create_task(self._work(), name="outbox relay")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ends_at = time.monotonic() + LAST_CHANCE
        self._closing.set()
        self._notified.set()
        await self._worker

    def notify(self) -> None:
        """A message waits in the outbox."""
        self._notified.set()

    async def send_due(self, *, pause: float = SUMMARY_PAUSE) -> Retry | None:
        """Send what is due in the channel, in order. What could not be sent is in `unsent`.

        Ends with the first sign that Discord is away, and returns it: what is left waits untouched.
        The message of a batch is brought up to date first, at most every `pause` seconds.
        """
        await self._publish_batches(pause)
        self._has_called = True
        while self._has_called:  # nobody may be there later to send what follows an edit
            self._has_called = False
            for message in await self._ledger.run(outbox.due, channel=self._channel):
                if time.monotonic() > self._ends_at:
                    break
                if away := await self._send(message):
                    return away
        return None

    async def _work(self) -> None:
        failures = 0
        while True:
            is_last = self._closing.is_set()
            self._notified.clear()
            failure = await self._round(is_last)
            if is_last or (failure and self._closing.is_set()):
                return
            failures = failures + 1 if failure else 0
            await self._wait(failure, failures)
            if self._closing.is_set() and _asked_to_wait(failure):
                return

    async def _round(self, is_last: bool) -> PostFlowError | None:
        """What stands in the way of sending, if anything does."""
        try:
            return await self.send_due(pause=0.0 if is_last else SUMMARY_PAUSE)
        except PostFlowError as error:
            log.warning("Messages wait: %s", error)
            return error
        except Exception as error:
            log.exception("A fault of our own; messages wait:")
            return as_ours(error)

    async def _wait(self, failure: PostFlowError | None, failures: int) -> None:
        """Until the next round is worth it, or the end."""
        event, seconds = self._notified, self._pulse
        if failure:
            longer = min(self._rest * 2.0 ** min(failures - 1, 20), LONGEST_REST)
            event, seconds = self._closing, max(_asked_to_wait(failure), longer)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()

    async def _publish_batches(self, pause: float) -> None:
        """Have the outbox hold the channel's batches as they are now, whichever run began them."""
        for batch in await self._ledger.run(batches.outdated, self._channel, pause=pause):
            try:
                card = batch_card(batch)
            except Exception:
                log.exception("A fault of our own, at the message of a batch; the others are sent:")
                continue
            message = card.announcement(f"{self._channel}/batch-{batch.id}", self._channel)
            await self._ledger.run(batches.publish, batch, message)

    async def _send(self, due: Message) -> Retry | None:
        """The sign that Discord is away, if there was one."""
        try:
            thread = self._discord.routes.new_thread(_fields(due))
            message = await self._ledger.run(outbox.sending, due, self._run_id, thread=thread)
        except StaleClaim:
            return None
        about = _about(message)
        try:
            message_id = await self._show(message)
        except Exception as error:
            why, outcome = _failed(message, error)
            self.unsent[about] = str(why)
            await self._note(outcome, message, why)
            return error if isinstance(error, Retry) else None
        self.unsent.pop(about, None)
        await self._note(outbox.sent, message, message_id)
        return None

    async def _show(self, message: Message) -> str:
        try:
            card = Card.model_validate(message.payload)
        except ValidationError as error:
            raise Fatal(
                "The announcement {key} was written by another version of PostFlow.",
                hint="Nothing to do: its clip is not affected.",
                code="discord.foreign_card",
                key=message.key,
            ) from error
        shown = await asyncio.to_thread(picture.load, card.picture) if card.picture else None
        card = card.model_copy(update={"about": _fields(message)})
        if not message.message_id:
            return await self._discord.post(card, shown, thread_id=message.thread_id)
        message_id = await self._discord.edit(
            message.message_id, card, shown, thread_id=message.thread_id
        )
        if message_id == message.message_id and card.notifies:
            await self._call(message, card)
        return message_id

    async def _call(self, message: Message, card: Card) -> None:
        """A message of its own, once, for whom the card notifies: an edit notifies nobody."""
        if not self._discord.routes.roles_of(card.called) or message.key.endswith(CALL):
            return
        call = card.call().announcement(message.key + CALL, message.channel)
        await self._ledger.run(outbox.enqueue, call)
        self._has_called = True

    async def _note(self, outcome: Outcome, message: Message, what: object) -> None:
        """What became of a message is known here only, so a ledger that is busy is asked again.

        Given up, it would count as being sent for as long as this process lasts.
        """
        await retry_while_busy(
            lambda: self._ledger.run(outcome, message, what),
            "A message's outcome is to be noted",
        )


def _failed(message: Message, error: Exception) -> tuple[PostFlowError, Outcome]:
    """Why a message was not sent, and what the ledger says of it."""
    if not isinstance(error, PostFlowError):
        # Whether it is there nobody knows; left as it is, it would be "sending" for ever.
        log.error("A fault of our own, at the message %s:", message.key, exc_info=error)
        return as_ours(error), outbox.unknown
    log.warning("Discord was not told of %s: %s", _about(message), error)
    if not isinstance(error, Retry):
        return error, outbox.refused
    lost = error.code == "discord.unknown_outcome"
    return error, outbox.unknown if lost else outbox.not_sent


def _asked_to_wait(failure: PostFlowError | None) -> float:
    """Seconds for which Discord wants to be left alone by all of us."""
    return (failure.retry_after or 0.0) if isinstance(failure, Retry) else 0.0


def _fields(message: Message) -> dict[str, str]:
    """What the name of its thread may hold."""
    about = message.payload.get("about")
    known = about if isinstance(about, dict) else {}
    return {**known, "day": f"{message.made_at.astimezone():%Y-%m-%d}"}


def _about(message: Message) -> str:
    """The clip's file, or the title of what is about no clip."""
    about = message.payload.get("about")
    file = about.get("file") if isinstance(about, dict) else None
    return printable(str(file or message.payload.get("title") or message.key))
