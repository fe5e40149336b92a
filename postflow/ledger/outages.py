"""Outages: what keeps a studio's clips from travelling and lies outside of them, as a sign-in that
has ended or a tunnel that cannot be had.

An outage uses up none of a clip's tries. Once it has stopped a second clip, the studio's other
ready clips are put off too. It is announced once.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, RowMapping, delete, insert, or_, select, update

from postflow.errors import Fatal, PostFlowError, Retry
from postflow.language import told

from .clips import NO_REASON, reason
from .ledger import Ledger
from .models import Announcement
from .outbox import put
from .schema import clips, outages
from .states import OPEN, State
from .transaction import Transaction

PAUSE = timedelta(seconds=120)
# The first pause of what may pass by itself.
BRIEF = timedelta(seconds=30)
# What may pass by itself is announced when it has lasted for so long.
BLINK = timedelta(minutes=10)


def hold_back(
    tx: Transaction, row: RowMapping, why: PostFlowError, notice: Announcement | None
) -> datetime:
    """Note the outage that stops this clip; returns when the clip is tried again."""
    mine = _of(row["studio"]) & (outages.c.code == why.code)
    begun = tx.row(select(outages).where(mine))
    began_at = begun["began_at"] if begun else tx.now
    if begun is None:
        new = {"studio": row["studio"], "code": why.code, "reason": told(why.whole)}
        tx.execute(insert(outages).values(new | {"began_at": tx.now}))
    elif begun["began_at"] < tx.now or row["code"] != why.code:
        _hold_up_others(tx, row, why)
    is_announced = bool(begun and begun["announced"]) or (begun is None and row["code"] == why.code)
    is_time = isinstance(why, Fatal) or tx.now - began_at >= BLINK
    if is_time and not is_announced and notice is not None:
        put(tx, notice)
    if is_time:
        tx.execute(update(outages).where(mine).values(announced=True))
    pause = BRIEF if begun is None and isinstance(why, Retry) else PAUSE
    return tx.now + max(pause, timedelta(seconds=getattr(why, "retry_after", None) or 0.0))


def end_outages(tx: Transaction, studio: str) -> None:
    """A clip of the studio arrived, so its outages are over, and clips put off by them are free."""
    codes = tx.scalars(select(outages.c.code).where(_of(studio)))
    if not codes:
        return
    untried = (clips.c.studio == studio) & clips.c.started_at.is_(None) & clips.c.code.in_(codes)
    freeing = update(clips).where(untried, clips.c.state == State.READY, clips.c.run_id.is_(None))
    tx.execute(freeing.values(NO_REASON))
    tx.execute(delete(outages).where(_of(studio)))


def clear(ledger: Ledger, studio: str) -> int:
    """A person has mended the set-up: what was put off is tried at once. How many clips."""
    with ledger.writing() as tx:
        codes = select(outages.c.code).where(_of(studio))
        held = (clips.c.studio == studio) & clips.c.code.in_(codes) & clips.c.state.in_(OPEN)
        freeing = update(clips).where(held, clips.c.run_id.is_(None)).values(not_before=None)
        many = tx.execute(freeing).rowcount
        tx.execute(delete(outages).where(_of(studio)))
        return many


def current(ledger: Ledger, studio: str) -> dict[str, str]:
    """The outages of a studio that were announced: by code, in a person's words and language."""
    known = select(outages.c.code, outages.c.reason)
    known = known.where(_of(studio), outages.c.announced)
    return {row["code"]: row["reason"] for row in ledger.rows(known)}


def _hold_up_others(tx: Transaction, row: RowMapping, why: PostFlowError) -> None:
    waiting = (clips.c.studio == row["studio"]) & (clips.c.state == State.READY)
    sooner = or_(clips.c.not_before.is_(None), clips.c.not_before < tx.now + PAUSE)
    holding = update(clips).where(waiting, sooner, clips.c.run_id.is_(None))
    tx.execute(holding.values(reason(why) | {"not_before": tx.now + PAUSE}))


def _of(studio: str) -> ColumnElement[bool]:
    return outages.c.studio == studio
