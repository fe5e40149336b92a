"""How far the clips on their way have come, and how much is left, for whoever asks elsewhere."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import RowMapping, and_, func, select, update

from postflow.models import FrozenModel

from .ledger import Ledger
from .models import Claimed, Progress
from .schema import attempts, clips, leases
from .states import UNDELIVERED, AttemptOutcome, State

UNHEARD = timedelta(seconds=15)
"""Of a clip on its way of which nothing was written for so long, nobody knows the rate."""


class Left(FrozenModel):
    """What waits or travels: files, bytes, bytes a second, seconds. None where nobody knows."""

    clips: int
    bytes: int
    rate: float | None
    seconds: float | None


def note(ledger: Ledger, claim: Claimed, sent: int, rate: float) -> None:
    """Note how many bytes of the claimed clip have left, and at what rate. No line of history."""
    number = claim.attempts[-1].number if claim.attempts else 0
    mine = attempts.c.clip_id == claim.clip_id, attempts.c.number == number
    values = {"sent": sent, "rate": rate, "sent_at": ledger.now()}
    with ledger.writing() as tx:
        tx.execute(update(attempts).where(*mine).values(values))


def travelling(ledger: Ledger, studio: str) -> dict[int, Progress]:
    """How far each clip has come that is being sent, by its id."""
    now = ledger.now()
    query = (
        select(clips.c.id, clips.c.size, attempts.c.sent, attempts.c.rate, attempts.c.sent_at)
        .join(leases, and_(leases.c.run_id == clips.c.run_id, leases.c.expires_at > now))
        .join(attempts, attempts.c.clip_id == clips.c.id)
        .where(
            clips.c.studio == studio,
            clips.c.state == State.REQUESTED,
            attempts.c.outcome == AttemptOutcome.ACCEPTED,
            attempts.c.sent.is_not(None),
        )
    )
    return {row["id"]: _progress(row, now) for row in ledger.rows(query)}


def left(ledger: Ledger, studio: str) -> Left:
    """What is left to send of all clips that wait or travel; what still settles is not among it."""
    query = select(func.count(), func.sum(clips.c.size)).where(
        clips.c.studio == studio, clips.c.state.in_(UNDELIVERED)
    )
    with ledger.reading() as tx:
        many, size = tx.execute(query).one()
    on_their_way = travelling(ledger, studio).values()
    size = max(int(size or 0) - sum(each.sent for each in on_their_way), 0)
    rate = sum(each.rate or 0.0 for each in on_their_way) or None
    return Left(clips=many, bytes=size, rate=rate, seconds=size / rate if rate else None)


def _progress(row: RowMapping, now: datetime) -> Progress:
    rate = row["rate"] if row["sent_at"] > now - UNHEARD else None
    missing = max(row["size"] - row["sent"], 0)
    return Progress(
        sent=row["sent"], left=missing, rate=rate, seconds=missing / rate if rate else None
    )
