"""One clip in hand: what the stages of its delivery share."""

from __future__ import annotations

from datetime import UTC, datetime

from postflow.models import Arrival, Delivery, MediaFile, Shot

from .record import DeliveryRecord


class DeliveryJob:
    """The file as it is now, its record in the ledger, and where it goes."""

    def __init__(self, media: MediaFile, record: DeliveryRecord, *, project: str) -> None:
        """`project`: in Frame.io, by name or id. `shot` is known once the clip is identified."""
        self.media = media
        self.record = record
        self.project = project
        self.shot: Shot | None = None
        self.started = datetime.now(tz=UTC)

    def delivered(self, shot: Shot, arrival: Arrival, stack_id: str | None = None) -> Delivery:
        return Delivery(
            media=arrival.media,
            shot=shot,
            folder=arrival.folder,
            remote=arrival.remote,
            adopted=arrival.adopted or arrival.at < self.started,
            stack_id=stack_id,
            started=self.started,
            finished=datetime.now(tz=UTC),
        )
