"""Batches: many clips that one message tells of, from what the ledger knows of each of them.

A clip's batch is written on its row, so whatever becomes of the clip becomes of the batch in the
same transaction, and whoever works on the clip next goes on with the same message.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from postflow.models import FrozenModel

from .clips import batch_changed, is_time
from .ledger import Ledger
from .models import Announcement
from .outbox import put
from .registry import Namesake, namesakes
from .schema import batches, clips, outbox
from .shared_clips import ShareLink, links_of_batch
from .states import OPEN, State, is_delivered
from .transaction import Transaction, as_entry, columns_of


class BatchClip(FrozenModel):
    """One clip of a batch, as far as the batch's message tells of it."""

    id: int
    name: str
    revision: str
    sequence: str | None = None
    size: int
    doubt: str | None = None
    state: State
    finished_at: datetime | None
    reason: str | None
    hint: str | None
    view_url: str | None
    namesake: Namesake | None = None

    @property
    def delivered(self) -> bool:
        """Also when it is not on its stack yet."""
        return is_delivered(self.state, self.finished_at)


class Batch(FrozenModel):
    """Clips that one message tells of. `changes` counts what has happened to them so far."""

    id: int
    channel: str
    project: str
    opened_at: datetime
    changes: int
    clips: tuple[BatchClip, ...]
    links: tuple[ShareLink, ...] = ()


def gather(ledger: Ledger, *, studio: str, channel: str, project: str) -> None:
    """The studio's clips that wait, and of which nobody was told yet, become of one batch.

    It is the channel's batch that is under way, if there is one, no matter which run began it.
    """
    with ledger.writing() as tx:
        untold = _untold(studio, tx.now)
        if tx.scalar(select(clips.c.id).where(*untold).limit(1)) is None:
            return
        under_way = tx.scalar(_under_way(channel, project))
        batch_id = under_way or _begin(tx, channel, project)
        tx.execute(update(clips).where(*untold).values(batch_id=batch_id))
        batch_changed(tx, batch_id)


def outdated(ledger: Ledger, channel: str, *, pause: float) -> list[Batch]:
    """Batches whose message is outdated, and was not changed in the last `pause` seconds.

    There is no pause before the last word: when none of the clips waits any more.
    """
    rested = batches.c.announced_at <= ledger.now() - timedelta(seconds=pause)
    is_over = ~_has(_is_under_way())
    query = select(batches).where(
        batches.c.channel == channel,
        batches.c.changes > batches.c.announced_changes,
        or_(batches.c.announced_at.is_(None), rested, is_over),
        _has(clips.c.state != State.SUPERSEDED),
    )
    with ledger.reading() as tx:
        rows = tx.rows(query.order_by(batches.c.id))
        return [_batch(tx, row) for row in rows]


def publish(ledger: Ledger, batch: Batch, announcement: Announcement) -> None:
    """Have the channel show the batch as it was read, unless something newer was announced."""
    newer = batches.c.id == batch.id, batches.c.announced_changes < batch.changes
    with ledger.writing() as tx:
        values = {"announced_changes": batch.changes, "announced_at": tx.now}
        if tx.execute(update(batches).where(*newer).values(values)).rowcount:
            put(tx, announcement)


def _begin(tx: Transaction, channel: str, project: str) -> int:
    values = {"channel": channel, "project": project, "opened_at": tx.now, "changes": 0}
    adding = insert(batches).values(values).returning(batches.c.id)
    return int(tx.execute(adding).scalar_one())


def _untold(studio: str, now: datetime) -> list[ColumnElement[bool]]:
    return [
        clips.c.studio == studio,
        _is_under_way(),
        clips.c.run_id.is_(None),
        clips.c.batch_id.is_(None),
        is_time(now),
        ~exists().where(outbox.c.clip_id == clips.c.id),
    ]


def _under_way(channel: str, project: str) -> Select[Any]:
    """A batch of which only clips are left that were put off is none: it may last for hours."""
    return select(func.max(batches.c.id)).where(
        batches.c.channel == channel,
        batches.c.project == project,
        _has(_is_under_way() & (clips.c.tries == 0)),
    )


def _is_under_way() -> ColumnElement[bool]:
    """A clip that is delivered and only waits for its stack is over, as far as people are told."""
    return clips.c.state.in_(OPEN) & clips.c.finished_at.is_(None)


def _has(what: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(clips.c.batch_id == batches.c.id, what)


def _batch(tx: Transaction, row: RowMapping) -> Batch:
    query = select(*columns_of(BatchClip, clips)).where(
        clips.c.batch_id == row["id"], clips.c.state != State.SUPERSEDED
    )
    rows = tx.rows(query.order_by(clips.c.id))
    others = namesakes(tx, clips.c.batch_id == row["id"])
    members = [BatchClip(**each, namesake=others.get(each["id"])) for each in rows]
    return as_entry(Batch, row, clips=tuple(members), links=links_of_batch(tx, row["id"]))
