"""Who works on which clip: claims with fencing tokens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    case,
    exists,
    func,
    or_,
    select,
    true,
    tuple_,
)

from postflow.state import this_host

from .clips import change, claimed, held, is_time
from .leases import LEASE_SECONDS, RUN_DIED, alive, end_dead_runs, start_lease
from .ledger import Ledger
from .models import Claimed, ClaimRef
from .process import this_machine
from .schema import clips, history, leases, roots
from .states import DELIVERED, OPEN, State
from .transaction import Transaction

Folders = Mapping[int, Path]
"""Watch folders whose files can be read: the root's id, and where this process finds it."""


def claim(
    ledger: Ledger,
    run_id: str,
    *,
    limit: int,
    studio: str | None = None,
    folders: Folders | None = None,
    interrupted: bool = False,
    lease_seconds: float = LEASE_SECONDS,
) -> list[Claimed]:
    """Take up to `limit` clips that nobody works on: what was begun first, then what a person put
    first, then the oldest. `interrupted`: only what a run had when it died.

    The run's lease starts or is renewed. Two runs never get the same clip, and no two get clips of
    one name at a time: the second finds in Frame.io what became of the first. What is not delivered
    yet of other watch folders than `folders` waits; None: all, where they were last opened. What
    was told of and waits for its stack is left to `stack_queue`.
    """
    with ledger.writing() as tx:
        start_lease(tx, run_id, lease_seconds)
        end_dead_runs(tx, but=run_id)
        query = _due(_unclaimed(studio), tx.now).where(_within_reach(folders))
        query = query.where(_is_interrupted()) if interrupted else query
        query = query.order_by(*_most_urgent()).limit(limit)
        rows: dict[str, RowMapping] = {}
        for row in tx.rows(query):
            rows.setdefault(f"{row['studio']}/{row['name']}", row)
        return [take(tx, row, run_id, folders) for row in rows.values()]


def claim_clip(
    ledger: Ledger, run_id: str, clip_id: int, *, folders: Folders | None = None
) -> Claimed | None:
    """Take one clip by a person's word, put off or not. None when a run has it, another machine has
    one of its name, or it is closed. On this machine a lock lets the second of a name wait.

    It leaves its batch: what a person takes in hand has a message of its own. One that was told of
    as delivered, and only waits for its stack, is left to `stack_queue`.
    """
    with ledger.writing() as tx:
        start_lease(tx, run_id, LEASE_SECONDS)
        end_dead_runs(tx, but=run_id)
        is_alone = ~_copy_is_held(tx.now, elsewhere=True)
        row = tx.row(_unclaimed(None).where(clips.c.id == clip_id, is_alone))
        if row is None:
            return None
        return take(tx, row, run_id, folders, batch_id=None, cancelled=None)


def read_claim(ledger: Ledger, ref: ClaimRef) -> Claimed:
    """The clip as it stands. Raises StaleClaim when it is no longer this run's."""
    with ledger.reading() as tx:
        row = held(tx, ref)
        return claimed(tx, row["id"], ref.root)


def release(ledger: Ledger, claim: Claimed) -> None:
    """Give one clip back as it stands; the next run goes on from its state."""
    with ledger.writing() as tx:
        row = held(tx, claim)
        change(tx, row, event="released", run_id=None)


def ready(
    ledger: Ledger,
    studio: str | None = None,
    *,
    folders: Folders | None = None,
    interrupted: bool = False,
) -> int:
    """How many clips `claim` would take now, those of runs whose lease ran out among them."""
    return sum(ready_in(ledger, studio, folders=folders, interrupted=interrupted).values())


def ready_in(
    ledger: Ledger,
    studio: str | None = None,
    *,
    folders: Folders | None = None,
    interrupted: bool = False,
) -> dict[int, int]:
    """What `ready` counts, for each root that has some."""
    now = ledger.now()
    query = _due(_open(studio), now).where(is_free(now), _within_reach(folders))
    query = query.where(_is_interrupted()) if interrupted else query
    query = query.with_only_columns(clips.c.root_id, func.count().label("many")).group_by(
        clips.c.root_id
    )
    return {row["root_id"]: row["many"] for row in ledger.rows(query)}


def is_free(now: datetime) -> ColumnElement[bool]:
    """No living run has it."""
    return or_(clips.c.run_id.is_(None), clips.c.run_id.not_in(alive(now)))


def _copy_is_held(now: datetime, *, elsewhere: bool = False) -> ColumnElement[bool]:
    """Has a living run, one of another machine, another clip of the studio's with that name, which
    so has the same place?
    """
    runs = alive(now)
    if elsewhere:
        runs = runs.where(leases.c.machine != this_machine())
    other = clips.alias()
    query = select(other.c.studio, other.c.name).where(
        other.c.state.in_(OPEN),
        other.c.finished_at.is_(None),
        other.c.run_id.in_(runs),
    )
    return tuple_(clips.c.studio, clips.c.name).in_(query)


def _is_interrupted() -> ColumnElement[bool]:
    """Had a run it when it died, and has nothing become of it since? Asked of what is free."""
    last = select(history.c.event).where(history.c.clip_id == clips.c.id)
    last = last.order_by(history.c.id.desc()).limit(1)
    died = last.scalar_subquery() == RUN_DIED
    return or_(clips.c.run_id.is_not(None), and_(clips.c.started_at.is_not(None), died))


def _open(studio: str | None) -> Select[Any]:
    query = select(clips).where(clips.c.state.in_(OPEN), clips.c.finished_at.is_(None))
    return query if studio is None else query.where(clips.c.studio == studio)


def _unclaimed(studio: str | None) -> Select[Any]:
    return _open(studio).where(clips.c.run_id.is_(None))


def _due(query: Select[Any], now: datetime) -> Select[Any]:
    """A new revision of a path waits until the one that was begun is settled, and so does a copy
    while a run has another.
    """
    other = clips.alias()
    begun = select(other.c.id).where(
        other.c.root_id == clips.c.root_id,
        other.c.relpath == clips.c.relpath,
        other.c.state.in_(OPEN - {State.READY}),
        other.c.finished_at.is_(None),
        is_time(now, other),
    )
    is_settled = or_(clips.c.state != State.READY, ~exists(begun))
    return query.where(is_time(now), is_settled, ~_copy_is_held(now))


def _within_reach(folders: Folders | None) -> ColumnElement[bool]:
    """Delivered and cancelled clips need no file any more; what a person hands over lies in no
    watch folder, but on the host where it was.
    """
    if folders is None:
        return true()
    by_hand = select(roots.c.id).where(roots.c.host == this_host())
    here = or_(clips.c.root_id.in_(folders), clips.c.root_id.in_(by_hand))
    return or_(clips.c.state.in_(DELIVERED), clips.c.cancelled.is_not(None), here)


def _most_urgent() -> tuple[ColumnElement[Any], ...]:
    begun_first = case((clips.c.state == State.READY, 1), else_=0)
    return begun_first, clips.c.priority.desc(), clips.c.found_at, clips.c.id


def take(
    tx: Transaction, row: RowMapping, run_id: str, folders: Folders | None, **values: Any
) -> Claimed:
    """Give the clip to the run, inside the caller's transaction."""
    change(
        tx,
        row,
        event="claimed",
        run_id=run_id,
        token=row["token"] + 1,
        started_at=row["started_at"] or tx.now,
        not_before=None,
        **values,
    )
    # Where somebody, perhaps another host, opened the folder last.
    last = select(roots.c.path).where(roots.c.id == row["root_id"])
    here = (folders or {}).get(row["root_id"]) or Path(tx.scalar(last))
    return claimed(tx, row["id"], here)
