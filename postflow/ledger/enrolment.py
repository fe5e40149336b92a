"""Which volume a studio has enrolled as a watch folder."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from postflow.ledger.entries import Root, as_entries, columns_of
from postflow.ledger.schema import roots
from postflow.ledger.store import Store


def find_root(store: Store, studio: str, mark: str) -> Root | None:
    """The studio's watch folder of that mark, if it was ever looked at."""
    query = select(*columns_of(Root, roots)).where(roots.c.studio == studio, roots.c.mark == mark)
    with store.reading() as connection:
        found = as_entries(Root, connection.execute(query).mappings().all())
    return found[0] if found else None


def marks_at(store: Store, studio: str, path: Path) -> tuple[str, ...]:
    """The marks under which the studio has looked at a folder, the last one first."""
    here = roots.c.studio == studio, roots.c.path == str(path)
    query = select(roots.c.mark).where(*here, roots.c.mark != roots.c.path)
    with store.reading() as connection:
        return tuple(connection.scalars(query.order_by(roots.c.id.desc())))


def is_stranger(store: Store, studio: str, path: Path, mark: str) -> bool:
    """Is this another volume than the one that the studio knows in this place?"""
    return find_root(store, studio, mark) is None and bool(marks_at(store, studio, path))
