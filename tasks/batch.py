"""What a drain came to, and the one message that tells of many clips."""

from __future__ import annotations

import time

from blocks.opening import OpenStudio
from postflow.discord import batch_card
from postflow.discord.card import skipped_card
from postflow.errors import PostFlowError, Retry, Skip
from postflow.ledger import Draft
from postflow.models import Delivery, Drained
from postflow.post_office import draft

PAUSE = 10.0


class Batch:
    """Collects outcomes. More clips than the studio's `batch` become one message, kept current."""

    def __init__(self, live: OpenStudio) -> None:
        self._live = live
        self._expected = 0
        self._delivered: list[Delivery] = []
        self._not_delivered: dict[str, PostFlowError] = {}
        self._skipped: dict[str, Skip] = {}
        self._told_at = float("-inf")

    def expect(self, waiting: int) -> None:
        """So many clips wait or travel; many of them are told of in one message."""
        self._expected = waiting
        if waiting > self._live.watching.batch:
            self._live.quiet = True

    def delivered(self, delivery: Delivery) -> None:
        self._delivered.append(delivery)
        self._not_delivered.pop(delivery.media.name, None)

    def not_delivered(self, name: str, why: PostFlowError) -> None:
        self._not_delivered[name] = why

    def skipped(self, name: str, why: Skip) -> Draft | None:
        """The message that tells of all names so far that nobody understood, and what is right."""
        live = self._live
        self._skipped[name] = why
        if live.discord is None:
            return None
        key = f"{live.channel}/skipped-{live.run_id}"
        return draft(key, live.channel, skipped_card(self._skipped))

    async def tell(self, *, finished: bool = False) -> None:
        """Bring the messages up to date, now and then or at the end."""
        if self._live.discord is None or not (finished or self._is_time()):
            return
        self._told_at = time.monotonic()
        if self._live.quiet:
            await self._tell_batch(waiting=0 if finished else self._expected)
        await self._live.send_messages()

    def drained(self) -> Drained:
        failures = self._not_delivered.items()
        return Drained(
            delivered={each.media.name: each.view_url for each in self._delivered},
            failed={name: str(why) for name, why in failures if not isinstance(why, Retry)},
            put_off={name: str(why) for name, why in failures if isinstance(why, Retry)},
            skipped={name: str(why) for name, why in self._skipped.items()},
        )

    def _is_time(self) -> bool:
        return time.monotonic() - self._told_at >= PAUSE

    async def _tell_batch(self, *, waiting: int) -> None:
        live = self._live
        card = batch_card(
            self._delivered, self._not_delivered, project=live.project, waiting=waiting
        )
        await live.ledger.enqueue(draft(f"{live.channel}/batch-{live.run_id}", live.channel, card))
