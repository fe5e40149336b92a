"""The whole ledger as lines of JSON, for other programs and for those who come after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, Table, select

from .schema import SCHEMA_VERSION, attempts, batches, clips, history, outbox, roots
from .store import Store

AT_ONCE = 500


def export(store: Store) -> Iterator[str]:
    """Lines without ends: `ledger`, then every root, batch, clip (with its story) and message."""
    with store.reading() as connection:
        now = store.now()
        yield _line("ledger", {"schema": SCHEMA_VERSION, "exported_at": now})
        for row in _rows(connection, roots):
            yield _line("root", row)
        for row in _rows(connection, batches):
            yield _line("batch", row)
        for row in _rows(connection, clips):
            yield _line("clip", row | _story(connection, row["id"]))
        for row in _rows(connection, outbox):
            yield _line("message", row)


def _story(connection: Connection, clip_id: int) -> dict[str, Any]:
    tries = select(attempts).where(attempts.c.clip_id == clip_id).order_by(attempts.c.number)
    past = select(history).where(history.c.clip_id == clip_id).order_by(history.c.id)
    return {"attempts": _plain(connection, tries), "history": _plain(connection, past)}


def _plain(connection: Connection, query: Select[Any]) -> list[dict[str, Any]]:
    left_out = {"clip_id", "id"}
    rows = connection.execute(query).mappings()
    return [{name: row[name] for name in row if name not in left_out} for row in rows]


def _rows(connection: Connection, table: Table) -> Iterator[dict[str, Any]]:
    query = select(table).order_by(table.c.id).execution_options(yield_per=AT_ONCE)
    for row in connection.execute(query).mappings():
        yield dict(row)


def _line(kind: str, values: dict[str, Any]) -> str:
    return json.dumps({"kind": kind} | values, default=_as_text)


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not for the export")
