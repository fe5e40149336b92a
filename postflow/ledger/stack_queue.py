"""Clips that were told of as delivered, and wait for their version stack.

Frame.io makes ten stacks a minute for a user. So a stack holds up nobody: it comes in turn, and
what waits for one is known by its `finished_at`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select

from .claims import is_free, take
from .clips import is_time
from .leases import LEASE_SECONDS, end_dead_runs, start_lease
from .ledger import Ledger
from .models import Claimed
from .schema import clips, stacks
from .states import DELIVERED, State

WAITING = DELIVERED - {State.DONE}


def due(
    ledger: Ledger, studio: str | None = None, *, creating: bool = True, extending: bool = True
) -> int:
    """How many clips wait for their stack, and are not put off; those of dead runs among them.

    `creating`: also those that have no stack yet; `extending`: also those that have one.
    """
    now = ledger.now()
    waiting = _waiting(studio, now, creating=creating, extending=extending)
    return int(ledger.scalars(waiting.with_only_columns(func.count()).order_by(None))[0])


def take_next(
    ledger: Ledger,
    run_id: str,
    studio: str | None = None,
    *,
    creating: bool = True,
    extending: bool = True,
    lease_seconds: float = LEASE_SECONDS,
) -> Claimed | None:
    """Take the one of them that has waited longest, but none whose stack a run is at."""
    with ledger.writing() as tx:
        start_lease(tx, run_id, lease_seconds)
        end_dead_runs(tx, but=run_id)
        query = _waiting(studio, tx.now, creating=creating, extending=extending)
        query = query.where(~_is_busy())
        row = tx.row(query.limit(1))
        return take(tx, row, run_id, None) if row else None


def _waiting(studio: str | None, now: datetime, *, creating: bool, extending: bool) -> Select[Any]:
    query = select(clips).where(
        clips.c.state.in_(WAITING), clips.c.finished_at.is_not(None), is_free(now), is_time(now)
    )
    if studio is not None:
        query = query.where(clips.c.studio == studio)
    if not (creating and extending):
        query = query.where(_has_stack() if extending else ~_has_stack())
    return query.order_by(clips.c.finished_at, clips.c.id)


def _has_stack() -> ColumnElement[bool]:
    mine = stacks.c.folder_id == clips.c.folder_id, stacks.c.name == clips.c.stack
    known = exists(select(stacks.c.name).where(*mine, stacks.c.stack_id.is_not(None)))
    return or_(known, clips.c.state == State.STACKED)


def _is_busy() -> ColumnElement[bool]:
    other = clips.alias()
    same = and_(other.c.folder_id == clips.c.folder_id, other.c.stack == clips.c.stack)
    at_work = other.c.state == State.STACKING, other.c.run_id.is_not(None)
    return exists(select(other.c.id).where(same, *at_work))
