"""What a person may decide: to try a clip again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, RowMapping, or_, select

from postflow.ledger.clips import AFRESH, NO_REASON, change, move
from postflow.ledger.observations import at_path_of_clip
from postflow.ledger.paths import normal
from postflow.ledger.schema import clips, observations
from postflow.ledger.states import NEEDS_FILE, OPEN, State
from postflow.ledger.store import Store


def retry(store: Store, name: str | None = None, *, studio: str | None = None) -> list[str]:
    """Try again what failed, was skipped or was put off under this file name or path.

    Without a name: all that failed. Where a scan found the file gone, that is not tried. Returns
    the paths of the clips that will be tried. They leave the batch they were told of in, unless
    only their stack is left to do.
    """
    query = select(clips).outerjoin(observations, at_path_of_clip()).order_by(clips.c.id)
    there = or_(clips.c.state.not_in(NEEDS_FILE), observations.c.gone_at.is_(None))
    query = query.where(clips.c.run_id.is_(None), there)
    if studio is not None:
        query = query.where(clips.c.studio == studio)
    if name is None:
        query = query.where(clips.c.state == State.FAILED)
    else:
        named = or_(clips.c.name == normal(name), clips.c.relpath == normal(name))
        query = query.where(named, clips.c.state.in_([*OPEN, State.FAILED, State.SKIPPED]))
    with store.writing() as connection:
        rows = connection.execute(query).mappings().all()
        for row in rows:
            _again(connection, row, store.now())
        return [row["relpath"] for row in rows]


def _again(connection: Connection, row: RowMapping, now: datetime) -> None:
    if row["state"] in OPEN:
        batch = row["batch_id"] if row["finished_at"] else None
        change(connection, row, now, event="retry", **NO_REASON, tries=0, batch_id=batch)
    else:
        move(connection, row, State.READY, now, event="retry", **AFRESH)
