"""One clip's row: how it is locked, moved from state to state, and written into the history."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    RowMapping,
    case,
    func,
    insert,
    or_,
    select,
    update,
)

from postflow.errors import PostFlowError, Retry
from postflow.models import nfc

from .models import Attempt, Claimed, ClaimRef
from .schema import attempts, batches, clips, history
from .states import CLOSED, AttemptOutcome, StaleClaim, State, check_move
from .transaction import Transaction, as_entry, columns_of


def reason(why: PostFlowError | None) -> dict[str, Any]:
    """The values by which a row says why its clip, message or link is not where it should be, in
    the language spoken, which is the studio's.
    """
    if why is None:
        return {"reason": None, "hint": None, "code": None}
    message, hint = why.told
    return {"reason": message, "hint": hint, "code": why.code}


NO_REASON = reason(None) | {"not_before": None}
AFRESH: dict[str, Any] = NO_REASON | {
    "tries": 0,
    "started_at": None,
    "finished_at": None,
    "batch_id": None,
    "priority": 0,
    "cancelled": None,
}


def is_time(now: datetime, table: FromClause = clips) -> ColumnElement[bool]:
    """It is not put off any more."""
    return or_(table.c.not_before.is_(None), table.c.not_before <= now)


def is_called(name: str) -> ColumnElement[bool]:
    """By its file name, or by its path below its root."""
    return or_(clips.c.name == nfc(name), clips.c.relpath == nfc(name))


def held(tx: Transaction, claim: Claimed | ClaimRef) -> RowMapping:
    """The claimed clip's row. Raises StaleClaim when it is no longer this run's."""
    query = select(clips).where(clips.c.id == claim.clip_id)
    row = tx.row(query)
    if row is None or row["token"] != claim.token or row["run_id"] != claim.run_id:
        name = row["name"] if row else "The clip"
        raise StaleClaim(
            f"{name} is no longer in the hands of this run.",
            hint="Nothing to do: another run took it over and finishes it.",
            code="ledger.stale_claim",
        )
    return row


def move(
    tx: Transaction,
    row: RowMapping,
    to: State,
    *,
    event: str | None = None,
    detail: dict[str, Any] | None = None,
    **values: Any,
) -> None:
    """Write a new state and its line in the history. Raises IllegalMove."""
    check_move(State(row["state"]), to)
    if to in CLOSED:
        values = {"finished_at": tx.now, "run_id": None, "cancelled": None} | values
    change(tx, row, event=event or to, to=to, detail=detail, since=tx.now, **values)


def change(
    tx: Transaction,
    row: RowMapping,
    *,
    event: str,
    to: State | None = None,
    detail: dict[str, Any] | None = None,
    **values: Any,
) -> None:
    """Write values and a line in the history; the state stays unless `to` says otherwise."""
    state = to or row["state"]
    tx.execute(update(clips).where(clips.c.id == row["id"]).values(state=state, **values))
    tx.execute(
        insert(history).values(
            clip_id=row["id"],
            at=tx.now,
            event=event,
            was=row["state"],
            now=state,
            run_id=values.get("run_id") or row["run_id"],
            token=values.get("token", row["token"]),
            detail=detail,
        )
    )
    if row["batch_id"] is not None:
        batch_changed(tx, row["batch_id"])


def batch_changed(tx: Transaction, batch_id: int) -> None:
    """What the batch's message says may be outdated."""
    counting = update(batches).where(batches.c.id == batch_id)
    tx.execute(counting.values(changes=batches.c.changes + 1))


def claimed(tx: Transaction, clip_id: int, root: Path) -> Claimed:
    """The clip as its holder sees it now, who finds its folder at `root`, with all its attempts."""
    query = select(clips.c.id.label("clip_id"), *columns_of(Claimed, clips))
    row = tx.one(query.where(clips.c.id == clip_id))
    return as_entry(Claimed, row, root=root, attempts=attempts_of(tx, clip_id))


def attempts_of(tx: Transaction, clip_id: int) -> tuple[Attempt, ...]:
    """The clip's upload requests, oldest first."""
    query = select(*columns_of(Attempt, attempts)).where(attempts.c.clip_id == clip_id)
    return tuple(tx.entries(Attempt, query.order_by(attempts.c.number)))


LED_TO_NOTHING = case(
    (attempts.c.outcome == AttemptOutcome.ACCEPTED, AttemptOutcome.FAILED),
    else_=AttemptOutcome.NOTHING,
)


def close_attempt(
    tx: Transaction, row: RowMapping, outcome: AttemptOutcome | ColumnElement[str]
) -> None:
    open_ones = attempts.c.outcome.in_([AttemptOutcome.OPEN, AttemptOutcome.ACCEPTED])
    closing = update(attempts).where(attempts.c.clip_id == row["id"], open_ones)
    tx.execute(closing.values(outcome=outcome, closed_at=tx.now))


def begin_attempt(tx: Transaction, row: RowMapping, **values: Any) -> int:
    """The number of the new attempt."""
    number = _last_attempt(tx, row) + 1
    opening = insert(attempts).values(
        clip_id=row["id"], number=number, intended_at=tx.now, **values
    )
    tx.execute(opening)
    return number


def mark_attempt(tx: Transaction, row: RowMapping, **values: Any) -> None:
    last = attempts.c.number == _last_attempt(tx, row)
    tx.execute(update(attempts).where(attempts.c.clip_id == row["id"], last).values(values))


def _last_attempt(tx: Transaction, row: RowMapping) -> int:
    query = select(func.max(attempts.c.number)).where(attempts.c.clip_id == row["id"])
    return tx.scalar(query) or 0


FIRST = 30.0
LONGEST = 3600.0


def backoff_after(why: PostFlowError, tries: int) -> float:
    """Seconds until the next try: what the service asked for, else longer each time."""
    if isinstance(why, Retry) and why.retry_after is not None:
        return why.retry_after
    return backoff(tries)


def backoff(tries: int) -> float:
    """Seconds: 30, 60, 120 and so on up to an hour."""
    return min(FIRST * 2.0 ** min(tries, 20), LONGEST)
