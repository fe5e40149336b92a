"""What the scans saw: every path's last size and time, and whether it is known to be whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Update,
    bindparam,
    func,
    insert,
    select,
    update,
)

from postflow.language import N_
from postflow.media import volume
from postflow.media.sighting import Sighting
from postflow.models import FrozenModel

from .ledger import Ledger
from .models import Root
from .schema import clips, observations, roots
from .states import ObservationState
from .transaction import Transaction

AT_ONCE = 1000

# The note of a file that is ready, while those before it are entered.
ABOUT_TO_BE_ENTERED = N_("is whole, and about to be taken up")

Row = dict[str, Any]
STATES = {str(state): state for state in ObservationState}


class Observed(FrozenModel):
    """What one scan changed, in files."""

    new: int
    changed: int
    same: int
    gone: int


class KnownFile(NamedTuple):
    """A file as the last scan saw it. Of these a ledger may have a hundred thousand."""

    relpath: str
    size: int
    mtime_ns: int
    state: ObservationState


class Expected(NamedTuple):
    """Files that time alone may make ready, and those of them that are ready."""

    settling: int
    ready: int


def observe(
    ledger: Ledger, root: Root, seen: Iterable[Sighting], *, gone: Iterable[str] = ()
) -> Observed:
    """Enter one scan, all of it or nothing. `gone`: relpaths that a complete scan did not find.

    A file that is as it was costs a look-up and no write.
    """
    with ledger.writing() as tx:
        counts = enter_all(tx, root, seen)
        vanished = _mark_gone(tx, root, list(gone))
    return Observed(**counts, gone=vanished)


def enter_all(tx: Transaction, root: Root, seen: Iterable[Sighting]) -> dict[str, int]:
    """What was seen, by what happened to it: new, changed, same."""
    counts = {"new": 0, "changed": 0, "same": 0}
    for batch in _batches(list(seen)):
        _enter(tx, root, batch, counts)
    return counts


def known(ledger: Ledger, root: Root, state: ObservationState | None = None) -> list[KnownFile]:
    """All files of the root that are there as far as is known, or those in one state; in no order,
    which would take as long again.
    """
    columns = (observations.c[name] for name in KnownFile._fields)
    query = select(*columns).where(
        observations.c.root_id == root.id, observations.c.gone_at.is_(None)
    )
    if state is not None:
        query = query.where(observations.c.state == state)
    with ledger.reading() as tx:
        rows = tx.execute(query.execution_options(yield_per=AT_ONCE))
        return [KnownFile(path, size, mtime, STATES[its]) for path, size, mtime, its in rows]


def set_notes(
    ledger: Ledger, root: Root, notes: Mapping[str, str], *, refused: Container[str] = ()
) -> None:
    """Note by relpath, in a person's words, why files are still waited for, or are `refused`."""
    rows = [{"path": p, "text": text, "no": p in refused} for p, text in notes.items()]
    if not rows:
        return
    with ledger.writing() as tx:
        values: Row = {"note": bindparam("text"), "refused": bindparam("no")}
        tx.execute(_at_path(root).values(values), rows)


def expected(ledger: Ledger, root: Root, *, within: timedelta) -> Expected:
    """What a watcher may soon enter of the files that changed `within` this time."""
    about_to_be = observations.c.note == ABOUT_TO_BE_ENTERED
    query = select(func.count(), func.count().filter(about_to_be)).where(
        observations.c.root_id == root.id,
        observations.c.gone_at.is_(None),
        observations.c.state == ObservationState.SETTLING,
        observations.c.refused.is_(False),
        observations.c.since >= ledger.now() - within,
    )
    with ledger.reading() as tx:
        return Expected(*tx.execute(query).one())


def count_others(ledger: Ledger, root: Root, found: Mapping[str, int]) -> None:
    """Note how many files of each other kind the root holds."""
    with ledger.writing() as tx:
        tx.execute(update(roots).where(roots.c.id == root.id).values(others=dict(found)))


def others(ledger: Ledger, studio: str) -> dict[str, int]:
    """The files of a studio's watch folders that are no clips, counted by kind."""
    query = select(roots.c.others).where(roots.c.studio == studio, roots.c.others.is_not(None))
    return dict(sum((Counter(each) for each in ledger.scalars(query)), Counter()))


def ignore_backlog(tx: Transaction, root: Root, before: datetime | None) -> int:
    """Set settling files aside until they change: all, or those last written before a time."""
    changing = _in_state(root, ObservationState.SETTLING)
    if before is not None:
        limit = volume.within(int(before.timestamp()) * 10**9)
        changing = changing.where(observations.c.mtime_ns < limit)
    values = {"state": ObservationState.ASIDE, "note": None, "refused": False}
    return tx.execute(changing.values(values)).rowcount


def stop_ignoring(tx: Transaction, root: Root) -> int:
    """Treat files that were set aside as if they had just been seen."""
    values = {"state": ObservationState.SETTLING, "waiting_since": tx.now}
    return tx.execute(_in_state(root, ObservationState.ASIDE).values(values)).rowcount


def settle_again(tx: Transaction, clip: RowMapping) -> None:
    """The clip's file is not what it was: its path is to be waited for and probed anew."""
    here = observations.c.root_id == clip["root_id"], observations.c.relpath == clip["relpath"]
    values = {"state": ObservationState.SETTLING, "waiting_since": tx.now}
    tx.execute(update(observations).where(*here).values(values))


def at_path_of_clip() -> ColumnElement[bool]:
    """Joins a clip to what the scans saw at its path last."""
    same_root = observations.c.root_id == clips.c.root_id
    return same_root & (observations.c.relpath == clips.c.relpath)


def _batches(seen: list[Sighting]) -> Iterator[dict[str, Sighting]]:
    for start in range(0, len(seen), AT_ONCE):
        yield {each.relpath: each for each in seen[start : start + AT_ONCE]}


def _enter(tx: Transaction, root: Root, batch: dict[str, Sighting], counts: dict[str, int]) -> None:
    here = select(observations).where(observations.c.root_id == root.id)
    found = tx.execute(here.where(observations.c.relpath.in_(batch)))
    known = {row["relpath"]: dict(row) for row in found.mappings()}
    fresh: list[Row] = []
    altered: list[Row] = []
    for path, sighting in batch.items():
        old = known.get(path)
        new = _as_seen(root, sighting, old, tx.now)
        if old is None:
            fresh.append(new | {"root_id": root.id, "relpath": path})
        elif new != {name: old[name] for name in new}:
            altered.append({f"new_{name}": value for name, value in new.items()} | {"path": path})
        counts[_what_happened(old, new)] += 1
    _write(tx, root, fresh, altered)


def _as_seen(root: Root, sighting: Sighting, old: Row | None, now: datetime) -> Row:
    """The row this sighting leads to, but for its key."""
    seen: Row = {
        "disk_path": sighting.path.relative_to(root.path).as_posix(),
        "size": sighting.size,
        "mtime_ns": sighting.mtime_ns,
        "gone_at": None,
    }
    kept = ("state", "since", "waiting_since", "note", "refused")
    if old is not None and is_as_it_was(old, seen):
        return seen | {name: old[name] for name in ("mtime_ns", *kept)}
    restless = old is not None and old["state"] == ObservationState.SETTLING
    return seen | {
        "state": ObservationState.SETTLING,
        "since": now,
        "waiting_since": old["waiting_since"] if old and restless else now,
        "note": None,
        "refused": False,
    }


def is_as_it_was(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """By its size and mtime, which another host may have seen more coarsely, or less."""
    is_same_size: bool = old["size"] == new["size"]
    return is_same_size and volume.same_mtime(old["mtime_ns"], new["mtime_ns"])


def _what_happened(old: Row | None, new: Row) -> str:
    if old is None:
        return "new"
    return "same" if is_as_it_was(old, new) else "changed"


def _write(tx: Transaction, root: Root, fresh: list[Row], altered: list[Row]) -> None:
    if fresh:
        tx.execute(insert(observations), fresh)
    if altered:
        names = [name.removeprefix("new_") for name in altered[0] if name != "path"]
        values: Row = {name: bindparam(f"new_{name}") for name in names}
        tx.execute(_at_path(root).values(values), altered)


def _mark_gone(tx: Transaction, root: Root, paths: list[str]) -> int:
    if not paths:
        return 0
    changing = _at_path(root).where(observations.c.gone_at.is_(None)).values(gone_at=tx.now)
    return tx.execute(changing, [{"path": path} for path in paths]).rowcount


def _at_path(root: Root) -> Update:
    here = observations.c.relpath == bindparam("path")
    return update(observations).where(observations.c.root_id == root.id, here)


def _in_state(root: Root, state: ObservationState) -> Update:
    there = observations.c.root_id == root.id, observations.c.gone_at.is_(None)
    return update(observations).where(*there, observations.c.state == state)
