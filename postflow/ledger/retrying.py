"""What a person may decide: to try a clip again, or to have it once more."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping, or_, select

from postflow.models import FrozenModel, nfc

from .clips import AFRESH, NO_REASON, change, is_called, move
from .ledger import Ledger
from .observations import at_path_of_clip
from .schema import clips, observations, roots
from .states import DELIVERED, NEEDS_FILE, OPEN, State, is_delivered
from .transaction import Transaction, columns_of

ANEW: dict[str, Any] = AFRESH | {"file_id": None, "view_url": None, "stack_id": None}


class NamedClip(FrozenModel):
    """A clip as a person means it by a name. `root` is where its folder was last opened."""

    id: int
    root: Path
    relpath: str
    state: State
    finished_at: datetime | None
    account_id: str | None
    file_id: str | None

    @property
    def path(self) -> Path:
        return self.root / self.relpath

    @property
    def delivered(self) -> bool:
        """Also when it is not on its stack yet."""
        return is_delivered(self.state, self.finished_at)


def named(ledger: Ledger, name: str, *, studio: str | None = None) -> list[NamedClip]:
    """What goes by a file name, a path below its root or a path on disk: the last of each path."""
    is_path = Path(name).is_absolute()
    by_name = clips.c.name == nfc(Path(name).name) if is_path else is_called(name)
    query = select(*columns_of(NamedClip, clips), roots.c.path.label("root"))
    query = query.join(roots, roots.c.id == clips.c.root_id).order_by(clips.c.id)
    query = query.where(by_name, clips.c.state != State.SUPERSEDED)
    if studio is not None:
        query = query.where(clips.c.studio == studio)
    last = {each.path: each for each in ledger.entries(NamedClip, query)}.values()
    return [each for each in last if not is_path or nfc(str(each.path)) == nfc(name)]


def retry(
    ledger: Ledger,
    name: str | None = None,
    *,
    studio: str | None = None,
    clip_id: int | None = None,
) -> list[str]:
    """Try again what failed, was skipped or was put off: one clip, or all of a file name or path.

    Without either: all that failed. Where a scan found the file gone, that is not tried. Returns
    the paths of the clips that will be tried. They leave the batch they were told of in, unless
    only their stack is left to do.
    """
    query = select(clips).outerjoin(observations, at_path_of_clip()).order_by(clips.c.id)
    there = or_(clips.c.state.not_in(NEEDS_FILE), observations.c.gone_at.is_(None))
    query = query.where(clips.c.run_id.is_(None), there)
    if studio is not None:
        query = query.where(clips.c.studio == studio)
    if clip_id is not None:
        query = query.where(clips.c.id == clip_id)
    elif name is not None:
        query = query.where(is_called(name))
    by_word = clip_id is not None or name is not None
    states = [*OPEN, State.FAILED, State.SKIPPED] if by_word else [State.FAILED]
    with ledger.writing() as tx:
        rows = tx.rows(query.where(clips.c.state.in_(states)))
        for row in rows:
            _again(tx, row)
        return [row["relpath"] for row in rows]


def redo(ledger: Ledger, clip_id: int, file_id: str) -> bool:
    """A delivered clip's file is gone from Frame.io: it travels once more. False if it does by now.

    The one way out of a delivery, and none that a failure takes: somebody looked, and it is gone.
    """
    query = select(clips).where(
        clips.c.id == clip_id,
        clips.c.file_id == file_id,
        clips.c.state.in_(DELIVERED),
        clips.c.run_id.is_(None),
    )
    with ledger.writing() as tx:
        row = tx.row(query)
        if row is not None:
            now, lost = tx.now, {"file_id": file_id}
            values = ANEW | {"since": now}
            change(tx, row, event="redone", to=State.READY, detail=lost, **values)
        return row is not None


def _again(tx: Transaction, row: RowMapping) -> None:
    if row["state"] in OPEN:
        batch = row["batch_id"] if row["finished_at"] else None
        values = NO_REASON | {"tries": 0, "batch_id": batch, "cancelled": None}
        change(tx, row, event="retry", **values)
    else:
        move(tx, row, State.READY, event="retry", **AFRESH)
