"""The ledger as lines of JSON: all of it, or what happened to clips that ended long ago."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

from sqlalchemy import ColumnElement, Select, Table, delete, exists, func, select

from .ledger import Ledger
from .schema import SCHEMA_VERSION, attempts, batches, clips, history, outbox, roots, shares
from .states import CLOSED
from .transaction import Transaction

A_YEAR = timedelta(days=365)
AT_ONCE = 500
LET_IN = frozenset({"url", "passphrase"})


def lines(ledger: Ledger) -> Iterator[str]:
    """Lines without ends: `ledger`, then every root, batch, clip (with its story), share link
    (without what lets somebody in) and message.
    """
    with ledger.reading() as tx:
        yield _line("ledger", {"schema": SCHEMA_VERSION, "exported_at": tx.now})
        for row in _rows(tx, roots):
            yield _line("root", row)
        for row in _rows(tx, batches):
            yield _line("batch", row)
        yield from _clips(tx)
        for row in _rows(tx, shares):
            yield _line("share", {name: row[name] for name in row if name not in LET_IN})
        for row in _rows(tx, outbox):
            yield _line("message", row)


def archive(ledger: Ledger, file: IO[str]) -> int:
    """Write the clips that have ended a year ago as lines of JSON, with their steps, and remove
    the steps from the ledger. How many clips.

    What is removed is on the disk before. Cut off and repeated, some lines are there twice.
    """
    before, many = ledger.now() - A_YEAR, 0
    while ids := _ended(ledger, before):
        with ledger.reading() as tx:
            last = tx.scalar(select(func.max(history.c.id)))
            ended = list(_clips(tx, clips.c.id.in_(ids)))
        file.writelines(f"{line}\n" for line in ended)
        file.flush()
        os.fsync(file.fileno())
        _remove(ledger, ids, last)
        many += len(ids)
    return many


def _ended(ledger: Ledger, before: datetime) -> Sequence[int]:
    """Some of the clips that have steps, the oldest first."""
    has_steps = exists().where(history.c.clip_id == clips.c.id)
    ended = clips.c.state.in_(CLOSED), clips.c.finished_at < before
    query = select(clips.c.id).where(*ended, has_steps).order_by(clips.c.id).limit(AT_ONCE)
    return ledger.scalars(query)


def _remove(ledger: Ledger, ids: Sequence[int], last: int | None) -> None:
    """But for what came after it was written."""
    written = history.c.clip_id.in_(ids), history.c.id <= last
    with ledger.writing() as tx:
        tx.execute(delete(history).where(*written))


def _clips(tx: Transaction, *which: ColumnElement[bool]) -> Iterator[str]:
    """Each with its story."""
    for row in _rows(tx, clips, *which):
        yield _line("clip", row | _story(tx, row["id"]))


def _story(tx: Transaction, clip_id: int) -> dict[str, Any]:
    tries = select(attempts).where(attempts.c.clip_id == clip_id).order_by(attempts.c.number)
    past = select(history).where(history.c.clip_id == clip_id).order_by(history.c.id)
    return {"attempts": _plain(tx, tries), "history": _plain(tx, past)}


def _plain(tx: Transaction, query: Select[Any]) -> list[dict[str, Any]]:
    left_out = {"clip_id", "id"}
    rows = tx.rows(query)
    return [{name: row[name] for name in row if name not in left_out} for row in rows]


def _rows(tx: Transaction, table: Table, *which: ColumnElement[bool]) -> Iterator[dict[str, Any]]:
    query = select(table).where(*which).order_by(table.c.id).execution_options(yield_per=AT_ONCE)
    for row in tx.execute(query).mappings():
        yield dict(row)


def _line(kind: str, values: dict[str, Any]) -> str:
    return json.dumps({"kind": kind} | values, default=_as_text)


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not for the export")
