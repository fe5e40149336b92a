"""A clip's upload requests, one after the other, inside the caller's transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, case, func, insert, select, update

from .schema import attempts
from .states import AttemptOutcome

LED_TO_NOTHING = case(
    (attempts.c.outcome == AttemptOutcome.ACCEPTED, AttemptOutcome.FAILED),
    else_=AttemptOutcome.NOTHING,
)


def close(
    connection: Connection,
    row: RowMapping,
    outcome: AttemptOutcome | ColumnElement[str],
    now: datetime,
) -> None:
    open_ones = attempts.c.outcome.in_([AttemptOutcome.OPEN, AttemptOutcome.ACCEPTED])
    closing = update(attempts).where(attempts.c.clip_id == row["id"], open_ones)
    connection.execute(closing.values(outcome=outcome, closed_at=now))


def begin(connection: Connection, row: RowMapping, now: datetime, **values: Any) -> int:
    """The number of the new attempt."""
    number = _last(connection, row) + 1
    opening = insert(attempts).values(clip_id=row["id"], number=number, intended_at=now, **values)
    connection.execute(opening)
    return number


def mark(connection: Connection, row: RowMapping, **values: Any) -> None:
    last = attempts.c.number == _last(connection, row)
    connection.execute(update(attempts).where(attempts.c.clip_id == row["id"], last).values(values))


def _last(connection: Connection, row: RowMapping) -> int:
    query = select(func.max(attempts.c.number)).where(attempts.c.clip_id == row["id"])
    return connection.scalar(query) or 0
