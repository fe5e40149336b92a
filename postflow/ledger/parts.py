"""Which parts of an unfinished direct upload have arrived, and where the others are to go.

So that whoever takes up the clip after a crash, on this machine or another, sends only the rest.
The addresses are secrets: no query for people reads them, and they go with the upload.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import SecretStr
from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from postflow.models import UploadPart

from .clips import held
from .ledger import Ledger
from .models import Claimed, StoredPart
from .schema import parts


def of(ledger: Ledger, claim: Claimed) -> tuple[StoredPart, ...]:
    """The parts of the claimed clip's unfinished upload, in their order; none where none is."""
    with ledger.reading() as connection:
        query = select(parts).where(parts.c.clip_id == held(connection, claim)["id"])
        rows = connection.execute(query.order_by(parts.c.number)).mappings().all()
    return tuple(_stored(row) for row in rows)


def arrived(
    ledger: Ledger, claim: Claimed, number: int, *, etag: str | None, mtime_ns: int
) -> None:
    """The store has that part of the file as it was at `mtime_ns`, and calls it `etag`."""
    with ledger.writing() as connection:
        is_it = (parts.c.clip_id == held(connection, claim)["id"], parts.c.number == number)
        values = {"etag": etag, "mtime_ns": mtime_ns}
        connection.execute(update(parts).where(*is_it).values(values))


def forget(ledger: Ledger, claim: Claimed) -> None:
    """The file that they were for was removed."""
    with ledger.writing() as connection:
        drop(connection, held(connection, claim))


def put(connection: Connection, clip: RowMapping, those: Sequence[UploadPart]) -> None:
    """These are the clip's parts from now on."""
    drop(connection, clip)
    rows = [
        {"clip_id": clip["id"]} | part.model_dump() | {"url": part.url.get_secret_value()}
        for part in those
    ]
    if rows:
        connection.execute(insert(parts), rows)


def drop(connection: Connection, clip: RowMapping) -> None:
    connection.execute(delete(parts).where(parts.c.clip_id == clip["id"]))


def _stored(row: RowMapping) -> StoredPart:
    names = UploadPart.model_fields
    url = SecretStr(row["url"])
    return StoredPart(
        part=UploadPart(**{name: row[name] for name in names if name != "url"}, url=url),
        etag=row["etag"],
        mtime_ns=row["mtime_ns"],
    )
