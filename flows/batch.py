"""The outcomes of an ingest run, and its messages that are about several clips."""

from __future__ import annotations

from uuid import uuid4

from postflow.discord.summary import MOST_NAMES, skipped_card
from postflow.engine.studio import OpenStudio
from postflow.errors import PostFlowError, Retry, Skip, lies_outside
from postflow.ledger import Announcement, Claimed, batches
from postflow.models import Delivery, Drained


class Batch:
    """Collects outcomes. More clips than the studio's `batch` have one message in the ledger."""

    def __init__(self, studio: OpenStudio) -> None:
        self._studio = studio
        self._delivered: list[Delivery] = []
        self._not_delivered: dict[str, PostFlowError] = {}
        self._skipped: dict[str, Skip] = {}
        self._announced: dict[str, Skip] = {}
        self._part = 1
        self._of = uuid4().hex
        self._project: str | None = None

    async def expect(self, waiting: int) -> None:
        """So many clips wait or travel. Of more than `batch`, those without a message share one."""
        studio = self._studio
        if studio.channel and waiting > studio.settings.watching.batch:
            if self._project is None:
                self._project = await studio.project_name(studio.project)
            await studio.ledger.run(
                batches.gather,
                studio=studio.name,
                channel=studio.channel,
                project=self._project,
            )

    def delivered(self, delivery: Delivery) -> None:
        self._delivered.append(delivery)
        self._not_delivered.pop(delivery.media.name, None)

    def not_delivered(self, name: str, why: PostFlowError) -> None:
        self._not_delivered[name] = why

    def skipped(self, claim: Claimed, why: Skip) -> Announcement | None:
        """The message about all names so far that no rule reads, and what would be right.

        None where the clip is part of a batch, which has a message.
        """
        studio = self._studio
        self._skipped[claim.name] = why
        if studio.channel is None or claim.batch_id is not None:
            return None
        if len(self._announced) == MOST_NAMES:
            self._announced, self._part = {}, self._part + 1
        self._announced[claim.name] = why
        key = f"{studio.channel}/skipped-{self._of}-{self._part}"
        return skipped_card(self._announced).announcement(key, studio.channel)

    def drained(self) -> Drained:
        failures = self._not_delivered.items()
        put_off = {
            name: str(why) for name, why in failures if isinstance(why, Retry) or lies_outside(why)
        }
        return Drained(
            delivered={each.media.name: each.view_url for each in self._delivered},
            failed={name: str(why) for name, why in failures if name not in put_off},
            put_off=put_off,
            skipped={name: str(why) for name, why in self._skipped.items()},
        )
