"""Folders and stacks of Frame.io that are known by their ids; one run at a time at each stack."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, RowMapping, select, update

from postflow.errors import Retry
from postflow.models import FrozenModel

from .clips import NO_REASON, claimed, held, move
from .ledger import Ledger
from .models import Claimed
from .outbox import Reword, rewrite_of_clip
from .schema import clips, folders, stacks
from .states import DELIVERED, State, check_move
from .transaction import Transaction, columns_of

BUSY_WAIT = 5.0

BELONGING = (
    State.REQUESTING,
    State.REQUESTED,
    State.ARRIVED,
    State.STACKING,
    State.STACKED,
    State.DONE,
)


class Sibling(FrozenModel):
    """A version of the same stack in the same folder, on its way or there."""

    clip_id: int
    name: str
    revision: str
    size: int
    version_number: int | None
    found_at: datetime
    state: State
    file_id: str | None
    stack_id: str | None


def siblings(ledger: Ledger, folder_id: str, stack: str) -> list[Sibling]:
    """Every clip bound for that stack of that folder, lowest version first, then as found."""
    columns = [clips.c.id.label("clip_id"), *columns_of(Sibling, clips)]
    query = select(*columns).where(
        clips.c.folder_id == folder_id, clips.c.stack == stack, clips.c.state.in_(BELONGING)
    )
    order = clips.c.version_number.asc().nulls_first(), clips.c.found_at, clips.c.id
    return ledger.entries(Sibling, query.order_by(*order))


def stack_of(ledger: Ledger, folder_id: str, stack: str) -> str | None:
    """Frame.io's id of the stack, when one was made."""
    return next(iter(ledger.scalars(select(stacks.c.stack_id).where(*_at(folder_id, stack)))), None)


def intend_stack(ledger: Ledger, claim: Claimed) -> Claimed:
    """About to make or extend the clip's stack; Retry (ledger.stack_busy) while others do."""
    with ledger.writing() as tx:
        row = held(tx, claim)
        check_move(State(row["state"]), State.STACKING)
        _take_stack(tx, row)
        move(tx, row, State.STACKING, detail={"stack": row["stack"]})
        return claimed(tx, claim.clip_id, claim.root)


def stacked(
    ledger: Ledger,
    claim: Claimed,
    stack_id: str,
    *,
    file_ids: Collection[str] = (),
    reword: Reword | None = None,
) -> Claimed:
    """The clip is on that stack of Frame.io's, with those files: what waited for it is done.

    `reword`: what their messages say then.
    """
    with ledger.writing() as tx:
        row = held(tx, claim)
        here = _at(row["folder_id"], row["stack"])
        tx.execute(update(stacks).where(*here).values(stack_id=stack_id, clip_id=None))
        move(tx, row, State.STACKED, detail={"stack_id": stack_id}, stack_id=stack_id)
        _end_waiting(tx, row, stack_id, file_ids, reword)
        return claimed(tx, claim.clip_id, claim.root)


def _take_stack(tx: Transaction, row: RowMapping) -> None:
    tx.add_new(stacks, folder_id=row["folder_id"], name=row["stack"])
    here = _at(row["folder_id"], row["stack"])
    holder = tx.scalar(select(stacks.c.clip_id).where(*here))
    if holder not in (None, row["id"]) and _at_work(tx, holder):
        raise Retry(
            "Another version of {stack} is being stacked.",
            hint="It is tried again as soon as that one is done.",
            code="ledger.stack_busy",
            retry_after=BUSY_WAIT,
            stack=row["stack"],
        )
    tx.execute(update(stacks).where(*here).values(clip_id=row["id"]))


def _end_waiting(
    tx: Transaction,
    row: RowMapping,
    stack_id: str,
    file_ids: Collection[str],
    reword: Reword | None,
) -> None:
    """Clips that were told of, and wait for the stack on which they are now."""
    waiting = select(clips).where(
        clips.c.folder_id == row["folder_id"],
        clips.c.stack == row["stack"],
        clips.c.id != row["id"],
        clips.c.file_id.in_(file_ids),
        clips.c.state.in_(DELIVERED - {State.DONE}),
        clips.c.finished_at.is_not(None),
        clips.c.run_id.is_(None),
    )
    for each in tx.rows(waiting):
        values = NO_REASON | {"stack_id": stack_id, "finished_at": each["finished_at"]}
        move(tx, each, State.DONE, detail={"stack_id": stack_id}, **values)
        rewrite_of_clip(tx, each["id"], reword)


def _at_work(tx: Transaction, clip_id: int) -> bool:
    query = select(clips.c.id).where(
        clips.c.id == clip_id, clips.c.state == State.STACKING, clips.c.run_id.is_not(None)
    )
    return tx.scalar(query) is not None


def _at(folder_id: str, name: str) -> tuple[ColumnElement[bool], ...]:
    return stacks.c.folder_id == folder_id, stacks.c.name == name


def folders_at(ledger: Ledger, project_id: str, paths: Collection[str]) -> dict[str, str]:
    """The id of each of these paths below the project's root that was met before."""
    query = select(folders.c.path, folders.c.folder_id).where(
        folders.c.project_id == project_id, folders.c.path.in_(paths)
    )
    return {row["path"]: row["folder_id"] for row in ledger.rows(query)}


def keep_folders(ledger: Ledger, project_id: str, ids: Mapping[str, str]) -> None:
    """From now on these paths are those folders."""
    with ledger.writing() as tx:
        for path, folder_id in ids.items():
            here = {"project_id": project_id, "path": path}
            tx.upsert(folders, here, folder_id=folder_id)
