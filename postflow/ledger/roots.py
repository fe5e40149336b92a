"""Which volumes a studio watches: only `enrol` enters one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from sqlalchemy import select, update

from postflow.media.sighting import Sighting

from .models import Root, as_entries, columns_of
from .observations import enter_all, leave_alone, look_after, open_root
from .schema import meta, roots
from .store import Store


def ledger_id(store: Store) -> str:
    """Tells this ledger from every other one, also from one that replaces it."""
    with store.reading() as connection:
        return str(connection.scalar(select(meta.c.value).where(meta.c.key == "ledger")))


def enrol(
    store: Store,
    studio: str,
    path: Path,
    mark: str,
    seen: Iterable[Sighting],
    *,
    deliver: bool,
    since: datetime | None = None,
) -> int:
    """Watch the folder of that mark, and write down with the same stroke what becomes of the files
    that are `seen` in it and not dealt with: they are delivered, or left alone until they change,
    but for those written `since` then. Returns how many are left alone.
    """
    with store.writing() as connection:
        now = store.now()
        root = open_root(connection, studio, path, mark, now)
        enter_all(connection, root, seen, now)
        look_after(connection, root, now)  # an earlier choice counts no more
        return 0 if deliver else leave_alone(connection, root, since)


def find_root(store: Store, studio: str, mark: str) -> Root | None:
    """The studio's watch folder of that mark, if it was ever enrolled."""
    query = select(*columns_of(Root, roots)).where(
        roots.c.studio == studio, roots.c.mark == mark, roots.c.mark != roots.c.path
    )
    with store.reading() as connection:
        found = as_entries(Root, connection.execute(query).mappings().all())
    return found[0] if found else None


def mounted(store: Store, studio: str, path: Path, mark: str) -> Root | None:
    """The same, known from now on to be mounted there."""
    root = find_root(store, studio, mark)
    if root is None or root.path == path:
        return root
    with store.writing() as connection:
        connection.execute(update(roots).where(roots.c.id == root.id).values(path=str(path)))
    return root.model_copy(update={"path": path})


def marks_at(store: Store, studio: str, path: Path) -> tuple[str, ...]:
    """The marks of the folders that the studio has watched in a place, the last one first."""
    here = roots.c.studio == studio, roots.c.path == str(path)
    query = select(roots.c.mark).where(*here, roots.c.mark != roots.c.path)
    with store.reading() as connection:
        return tuple(connection.scalars(query.order_by(roots.c.id.desc())))
