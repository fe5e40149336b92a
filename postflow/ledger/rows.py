"""From the columns of a table to a type's fields, and from its rows to the type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, FromClause, RowMapping

from postflow.models import FrozenModel

M = TypeVar("M", bound=FrozenModel)


def columns_of(kind: type[FrozenModel], table: FromClause) -> list[ColumnElement[Any]]:
    """The table's columns that the type has a field for."""
    return [table.c[name] for name in kind.model_fields if name in table.c]


def as_entry(kind: type[M], row: RowMapping, **more: Any) -> M:
    """What a row has of the type's fields, and `more`."""
    found = {name: row[name] for name in kind.model_fields if name in row}
    return kind.model_validate(found | more)


def as_entries(kind: type[M], rows: Sequence[RowMapping]) -> list[M]:
    return [kind.model_validate(dict(row)) for row in rows]
