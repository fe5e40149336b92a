"""Which volumes a studio watches: only `enrol` enters one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from sqlalchemy import select, update

from postflow.media.sighting import Sighting
from postflow.state import this_host

from .ledger import Ledger
from .models import Root
from .observations import enter_all, ignore_backlog, stop_ignoring
from .schema import meta, mounts, roots
from .transaction import Transaction, columns_of


def ledger_id(ledger: Ledger) -> str:
    """Tells this ledger from every other one, also from one that replaces it."""
    return str(ledger.scalars(select(meta.c.value).where(meta.c.key == "ledger"))[0])


def enrol(
    ledger: Ledger,
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
    with ledger.writing() as tx:
        root = _open_root(tx, studio, path, mark)
        enter_all(tx, root, seen)
        stop_ignoring(tx, root)  # an earlier choice counts no more
        return 0 if deliver else ignore_backlog(tx, root, since)


def find_root(ledger: Ledger, studio: str, mark: str) -> Root | None:
    """The studio's watch folder of that mark, if it was ever enrolled."""
    query = select(*columns_of(Root, roots)).where(
        roots.c.studio == studio, roots.c.mark == mark, roots.c.host.is_(None)
    )
    return next(iter(ledger.entries(Root, query)), None)


def mounted(ledger: Ledger, studio: str, path: Path, mark: str) -> Root | None:
    """The root of that mark, known from now on to be mounted there."""
    root = find_root(ledger, studio, mark)
    if root is None or root.path == path:
        return root
    with ledger.writing() as tx:
        tx.execute(update(roots).where(roots.c.id == root.id).values(path=str(path)))
        _remember(tx, root.id, path)
    return root.model_copy(update={"path": path})


def marks_at(ledger: Ledger, studio: str, path: Path) -> tuple[str, ...]:
    """The marks of the folders that the studio has watched in a place, on whichever host, the last
    one first.
    """
    here = mounts.c.root_id == roots.c.id, mounts.c.path == str(path)
    watched = roots.c.studio == studio, roots.c.host.is_(None)
    query = select(roots.c.mark).where(*here, *watched)
    return tuple(ledger.scalars(query.order_by(roots.c.id.desc())))


def add(ledger: Ledger, studio: str, path: Path, mark: str | None = None) -> Root:
    """The studio's folder, entered if it is new. Without a `mark` it is one of this host, of a
    person's clips; a watched one has that of its marker file, and is entered by `enrol` only.
    """
    host = None if mark else this_host()
    with ledger.writing() as tx:
        return _open_root(tx, studio, path, mark or f"{host}:{path}", host)


def _open_root(
    tx: Transaction, studio: str, path: Path, mark: str, host: str | None = None
) -> Root:
    """The folder of that mark, wherever it is mounted."""
    values = {"studio": studio, "mark": mark, "path": str(path), "host": host}
    adding = tx.insert(roots).values(opened_at=tx.now, **values)
    adding = adding.on_conflict_do_update(
        index_elements=["studio", "mark"], set_={"path": str(path)}
    )
    (root,) = tx.entries(Root, adding.returning(*columns_of(Root, roots)))
    _remember(tx, root.id, path)
    return root


def _remember(tx: Transaction, root_id: int, path: Path) -> None:
    tx.add_new(mounts, root_id=root_id, path=str(path))
