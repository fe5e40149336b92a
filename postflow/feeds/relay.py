"""Tells a sink what happened, in order, while the `async with` lasts."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Protocol, Self

from postflow.errors import PostFlowError, Skip, as_ours
from postflow.ledger import AsyncLedger, StaleClaim, feeds
from postflow.ledger.feeds import Event, Place
from postflow.naming import Naming

log = logging.getLogger(__name__)

PULSE = 5.0
LONGEST_REST = 60.0
LAST_CHANCE = 10.0


class Sink(Protocol):
    """Somebody who is told."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str:
        """For people, without anything that is secret."""
        ...

    async def test(self, studio: str) -> None:
        """Say that this is a test. Raises as `send` does."""

    def takes(self, event: Event) -> bool: ...

    async def send(self, event: Event) -> None:
        """Raises Skip where only this event is refused."""


class FeedRelay:
    """Reads the ledger every `pulse` seconds. Of all processes of a studio one tells.

    While the sink is away it rests, up to 60 s. At its end it tells what is left, for 10 s at most.
    """

    def __init__(
        self,
        ledger: AsyncLedger,
        naming: Naming,
        studio: str,
        run_id: str,
        sink: Sink,
        *,
        pulse: float = PULSE,
    ) -> None:
        self._ledger = ledger
        self._naming = naming
        self._studio = studio
        self._run_id = run_id
        self._sink = sink
        self._pulse = pulse
        self._closing = asyncio.Event()
        self._worker: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        await self._ledger.run(feeds.take, self._feed, self._run_id)
        self._worker = asyncio.create_task(self._work(), name=f"feed {self._sink.name}")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._worker, LAST_CHANCE)
        with suppress(PostFlowError):
            await self._ledger.run(feeds.leave, self._run_id)

    @property
    def _feed(self) -> str:
        return f"{self._studio}/{self._sink.name}"

    async def _work(self) -> None:
        rest = self._pulse
        while True:
            is_last = self._closing.is_set()
            went_well = await self._round()
            if is_last:
                return
            rest = self._pulse if went_well else min(rest * 2, LONGEST_REST)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), rest)

    async def _round(self) -> bool:
        try:
            while await self._ledger.run(feeds.has_news, self._feed, self._studio):
                place = await self._ledger.run(feeds.take, self._feed, self._run_id)
                if place is None:
                    break
                for each in await self._ledger.run(feeds.upcoming, place, self._studio):
                    if not await self._tell(each.event, each.after):
                        return False
        except StaleClaim:
            return True
        except Exception as error:
            log.warning("%s waits: %s", self._feed, as_ours(error))
            return False
        return True

    async def _tell(self, event: Event, after: Place) -> bool:
        try:
            if self._sink.takes(event):
                await self._sink.send(named(event, self._naming))
        except PostFlowError as error:
            log.warning("%s was not told of %s: %s", self._feed, event.id, error)
            if not isinstance(error, Skip):
                await self._ledger.run(feeds.not_told, after, str(error))
                return False
        await self._ledger.run(feeds.told, after)
        return True


def named(event: Event, naming: Naming) -> Event:
    """With what the clip's name means; one that was named by a person means nothing by itself."""
    if event.file is None:
        return event
    with suppress(PostFlowError):
        shot = naming.identify(event.file)
        means = {"sequence": shot.sequence, "shot": shot.shot, "version": shot.version}
        return event.model_copy(update=means)
    return event
