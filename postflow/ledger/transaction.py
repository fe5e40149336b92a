"""One short transaction of the ledger: its time, and rows that become frozen types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Executable,
    FromClause,
    RowMapping,
    Table,
)
from sqlalchemy.dialects import postgresql, sqlite

from postflow.models import FrozenModel

Insert = sqlite.Insert | postgresql.Insert

M = TypeVar("M", bound=FrozenModel)


class Transaction:
    """Handed by `Ledger.writing` and `Ledger.reading` to all that takes part in it.

    `now`: when it began, by the ledger's clock, and so when all happened that is written in it.
    """

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self.forgets = False
        """It deletes a secret."""

    def execute(
        self, statement: Executable, each: Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        """Once, or once for `each` set of values."""
        return self.connection.execute(statement, each)

    def scalar(self, query: Executable) -> Any:
        """The first column of the first row; None where there is none."""
        return self.connection.scalar(query)

    def scalars(self, query: Executable) -> Sequence[Any]:
        """The first column of every row."""
        return self.connection.scalars(query).all()

    def rows(self, query: Executable) -> Sequence[RowMapping]:
        return self.connection.execute(query).mappings().all()

    def row(self, query: Executable) -> RowMapping | None:
        """The only row, if there is one."""
        return self.connection.execute(query).mappings().one_or_none()

    def one(self, query: Executable) -> RowMapping:
        """The only row, which is there."""
        return self.connection.execute(query).mappings().one()

    def entries(self, kind: type[M], query: Executable) -> list[M]:
        """Every row as a frozen type."""
        return as_entries(kind, self.rows(query))

    def insert(self, table: Table) -> Insert:
        """An INSERT that knows ON CONFLICT, which each database spells its own way."""
        if self.connection.dialect.name == "postgresql":
            return postgresql.insert(table)
        return sqlite.insert(table)

    def upsert(self, table: Table, values: Mapping[str, Any], **changes: Any) -> None:
        """Add a row; one that has its key is changed instead, by `changes` where there are any."""
        key = [column.name for column in table.primary_key]
        adding = self.insert(table).values(dict(values) | changes)
        changing = adding.on_conflict_do_update(index_elements=key, set_=changes or dict(values))
        self.connection.execute(changing)

    def add_new(self, table: Table, **values: Any) -> None:
        """Add a row, unless one has its key."""
        self.connection.execute(self.insert(table).values(values).on_conflict_do_nothing())


def columns_of(kind: type[FrozenModel], table: FromClause) -> list[ColumnElement[Any]]:
    """The table's columns that the type has a field for."""
    return [table.c[name] for name in kind.model_fields if name in table.c]


def as_entry(kind: type[M], row: RowMapping, **more: Any) -> M:
    """What a row has of the type's fields, and `more`."""
    found = {name: row[name] for name in kind.model_fields if name in row}
    return kind.model_validate(found | more)


def as_entries(kind: type[M], rows: Sequence[RowMapping]) -> list[M]:
    return [kind.model_validate(dict(row)) for row in rows]
