"""Which parts of an unfinished direct upload have arrived, and where the others are to go.

So that whoever takes up the clip after a crash, on this machine or another, sends only the rest.
The addresses are secrets: no query for people reads them, and they go with the upload.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping, delete, insert, select, update

from postflow.models import FrozenModel, UploadPart

from .claims import is_free
from .clips import held
from .ledger import Ledger
from .models import Claimed, StoredPart
from .schema import clips, parts
from .states import OPEN, State
from .transaction import Transaction, as_entry


def of(ledger: Ledger, claim: Claimed) -> tuple[StoredPart, ...]:
    """The parts of the claimed clip's unfinished upload, in their order; none where none is."""
    with ledger.reading() as tx:
        query = select(parts).where(parts.c.clip_id == held(tx, claim)["id"])
        rows = tx.rows(query.order_by(parts.c.number))
    return tuple(as_entry(StoredPart, row, part=as_entry(UploadPart, row)) for row in rows)


def arrived(
    ledger: Ledger, claim: Claimed, number: int, *, etag: str | None, mtime_ns: int
) -> None:
    """The store has that part of the file as it was at `mtime_ns`, and calls it `etag`."""
    with ledger.writing() as tx:
        is_it = (parts.c.clip_id == held(tx, claim)["id"], parts.c.number == number)
        values = {"etag": etag, "mtime_ns": mtime_ns}
        tx.execute(update(parts).where(*is_it).values(values))


class Unfinished(FrozenModel):
    """A direct upload that no run has. `is_over`: its clip does not travel any more."""

    clip_id: int
    name: str
    account_id: str
    file_id: str
    is_over: bool
    since: datetime
    part: UploadPart


def unclaimed(ledger: Ledger, studio: str) -> tuple[Unfinished, ...]:
    """A studio's direct uploads that were begun, and that no living run has."""
    about = [clips.c[name] for name in ("name", "account_id", "file_id", "since", "state")]
    query = select(parts, *about).join(clips, parts.c.clip_id == clips.c.id)
    query = query.where(clips.c.studio == studio, parts.c.number == 1, is_free(ledger.now()))
    return tuple(
        Unfinished(
            **{name: row[name] for name in ("clip_id", "name", "account_id", "file_id", "since")},
            is_over=row["state"] not in {*OPEN, State.FAILED},
            part=as_entry(UploadPart, row),
        )
        for row in ledger.rows(query)
    )


def forget_unclaimed(ledger: Ledger, left: Unfinished) -> None:
    """The file was removed; unless a run has taken the clip up meanwhile, its parts are too."""
    still = clips.c.id == left.clip_id, clips.c.file_id == left.file_id, is_free(ledger.now())
    with ledger.writing() as tx:
        row = tx.row(select(clips).where(*still))
        if row:
            drop(tx, row)


def forget(ledger: Ledger, claim: Claimed) -> None:
    """The file that they were for was removed."""
    with ledger.writing() as tx:
        drop(tx, held(tx, claim))


def put(tx: Transaction, clip: RowMapping, those: Sequence[UploadPart]) -> None:
    """These are the clip's parts from now on."""
    drop(tx, clip)
    rows = [
        {"clip_id": clip["id"]} | part.model_dump() | {"url": part.url.get_secret_value()}
        for part in those
    ]
    if rows:
        tx.execute(insert(parts), rows)


def drop(tx: Transaction, clip: RowMapping) -> None:
    if tx.execute(delete(parts).where(parts.c.clip_id == clip["id"])).rowcount:
        tx.forgets = True
