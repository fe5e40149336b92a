"""Whole files become clips: one row for each revision of each path, ever."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    exists,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from postflow.models import FrozenModel, MediaFile, nfc

from .clips import AFRESH, move
from .ledger import Ledger
from .models import Claimed, Root
from .observations import is_as_it_was
from .outbox import hand_on
from .queue import fulfil
from .schema import clips, history, observations, outbox, roots
from .states import DELIVERED, FILE_GONE, REPLACEABLE, ObservationState, State, is_delivered
from .transaction import Transaction, as_entry


class Registered(FrozenModel):
    """A whole file's place in the ledger; `new` when it is to be delivered because of this.

    `delivered` also when it is not on its stack yet; then its file in Frame.io is known.
    """

    clip_id: int
    state: State
    new: bool
    delivered: bool = False
    account_id: str | None = None
    file_id: str | None = None


class Namesake(FrozenModel):
    """Another content under a clip's name and version, which was there before it.

    `is_same_path`: the file was exported again. `finished_at` None: it is being told of just now.
    """

    root: str
    relpath: str
    is_same_path: bool
    finished_at: datetime | None


def register(ledger: Ledger, root: Root, media: MediaFile) -> Registered | None:
    """Enter a file whose content is known to be whole. None when a scan saw it change meanwhile.

    A revision the ledger knows is not delivered again. Other revisions of the path that have not
    begun to travel are superseded.
    """
    disk_path = media.path.relative_to(root.path).as_posix()
    with ledger.writing() as tx:
        relpath = nfc(disk_path)
        seen = _settle(tx, root, relpath, media)
        if seen is None:
            return None
        found = _row_of(tx, root, relpath, media.revision)
        if found is None:
            result = _enter(tx, root, disk_path, media)
        else:
            result = _meet_again(tx, found, disk_path, media)
        _supersede_others(tx, root, relpath, result.clip_id)
        if seen["wish"] and result.new:
            state = fulfil(tx, result.clip_id, seen["wish"])
            result = result.model_copy(update={"state": state})
        return result


def _settle(tx: Transaction, root: Root, relpath: str, media: MediaFile) -> RowMapping | None:
    """What the scans saw at the path, which is settled now; None when it has changed meanwhile."""
    here = (observations.c.root_id == root.id) & (observations.c.relpath == relpath)
    seen = tx.row(select(observations).where(here))
    if seen is None or not is_as_it_was(
        dict(seen), {"size": media.size, "mtime_ns": media.mtime_ns}
    ):
        return None
    settled = {"state": ObservationState.SETTLED, "note": None, "refused": False, "wish": None}
    tx.execute(update(observations).where(here).values(settled))
    return seen


def _row_of(tx: Transaction, root: Root, relpath: str, revision: str) -> RowMapping | None:
    query = select(clips).where(
        clips.c.root_id == root.id, clips.c.relpath == relpath, clips.c.revision == revision
    )
    return tx.row(query)


def _enter(tx: Transaction, root: Root, disk_path: str, media: MediaFile) -> Registered:
    values = {
        "root_id": root.id,
        "studio": root.studio,
        "relpath": nfc(disk_path),
        "name": media.name,
        "revision": media.revision,
        "fingerprint": media.fingerprint,
        "state": State.READY,
        "found_at": tx.now,
        "since": tx.now,
    }
    adding = insert(clips).values(**values, **_to_send(disk_path, media)).returning(clips.c.id)
    clip_id = tx.execute(adding).scalar_one()
    tx.execute(
        insert(history).values(clip_id=clip_id, at=tx.now, event="found", now=State.READY, token=0)
    )
    return Registered(clip_id=clip_id, state=State.READY, new=True)


def _meet_again(tx: Transaction, row: RowMapping, disk_path: str, media: MediaFile) -> Registered:
    state = State(row["state"])
    is_to_be_sent = state in REPLACEABLE | {State.SUPERSEDED} and row["run_id"] is None
    where = _to_send(disk_path, media) if is_to_be_sent else _on_disk(disk_path, media)
    back = state is State.SUPERSEDED or (state is State.SKIPPED and row["code"] == FILE_GONE)
    if back:
        move(tx, row, State.READY, event="came back", **AFRESH, **where)
    else:
        tx.execute(update(clips).where(clips.c.id == row["id"]).values(where))
    delivered = is_delivered(state, row["finished_at"])
    state = State.READY if back else state
    remote = {"account_id": row["account_id"], "file_id": row["file_id"]}
    return Registered(clip_id=row["id"], state=state, new=back, delivered=delivered, **remote)


def _on_disk(disk_path: str, media: MediaFile) -> dict[str, Any]:
    return {"disk_path": disk_path, "mtime_ns": media.mtime_ns}


def _to_send(disk_path: str, media: MediaFile) -> dict[str, Any]:
    """What is sent has the size it has then; new metadata changes that, and no revision."""
    return _on_disk(disk_path, media) | {"size": media.size, "doubt": media.doubt}


def _supersede_others(tx: Transaction, root: Root, relpath: str, clip_id: int) -> None:
    query = select(clips).where(
        clips.c.root_id == root.id,
        clips.c.relpath == relpath,
        clips.c.id != clip_id,
        clips.c.run_id.is_(None),
        clips.c.state.in_(REPLACEABLE),
    )
    for row in tx.rows(query):
        move(tx, row, State.SUPERSEDED, event="superseded", detail={"by": clip_id})
        if row["state"] == State.READY:
            hand_on(tx, row["id"], clip_id)
            inheriting = update(clips).where(clips.c.id == clip_id)
            tx.execute(inheriting.values(priority=row["priority"]))


def is_announced_elsewhere(ledger: Ledger, claim: Claimed) -> bool:
    """Was the same content announced under another path, and has the clip no message yet?

    Once it is delivered, the file that was announced must be the same file of Frame.io.
    """
    own = select(outbox.c.id).where(outbox.c.clip_id == claim.clip_id)
    with ledger.reading() as tx:
        return bool(tx.scalar(select(exists(_duplicate(claim)) & ~exists(own))))


def namesake(ledger: Ledger, claim: Claimed) -> Namesake | None:
    """The latest of the clip's name and version that was there before it with other content."""
    with ledger.reading() as tx:
        return namesakes(tx, clips.c.id == claim.clip_id).get(claim.clip_id)


def namesakes(tx: Transaction, which: ColumnElement[bool]) -> dict[int, Namesake]:
    """What `namesake` says, of several clips, by their ids."""
    other = clips.alias()
    same = and_(
        other.c.studio == clips.c.studio,
        other.c.folder_id == clips.c.folder_id,
        other.c.stack == clips.c.stack,
        other.c.version_key.is_not_distinct_from(clips.c.version_key),
        other.c.revision != clips.c.revision,
        other.c.state.in_(DELIVERED),
        or_(
            clips.c.finished_at.is_(None),
            tuple_(other.c.finished_at, other.c.id) < tuple_(clips.c.finished_at, clips.c.id),
        ),
    )
    query = (
        select(
            clips.c.id,
            roots.c.path.label("root"),
            other.c.relpath,
            and_(other.c.root_id == clips.c.root_id, other.c.relpath == clips.c.relpath).label(
                "is_same_path"
            ),
            other.c.finished_at,
        )
        .join(other, same)
        .join(roots, roots.c.id == other.c.root_id)
        .where(which)
        .order_by(other.c.finished_at.asc().nulls_last(), other.c.id)
    )
    return {row["id"]: as_entry(Namesake, row) for row in tx.rows(query)}


def _duplicate(claim: Claimed) -> Select[Any]:
    query = select(clips.c.id).where(
        clips.c.studio == claim.studio,
        clips.c.name == claim.name,
        clips.c.revision == claim.revision,
        clips.c.id != claim.clip_id,
        clips.c.state.in_(DELIVERED),
        clips.c.finished_at.is_not(None),
    )
    return query.where(clips.c.file_id == claim.file_id) if claim.state in DELIVERED else query
