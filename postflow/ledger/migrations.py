"""Brings a database to the schema of this release, or refuses one of a later release."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import uuid4

from sqlalchemy import Connection, insert, inspect, select, text, update

from postflow.errors import Fatal

from .schema import (
    SCHEMA_VERSION,
    batches,
    clips,
    folders,
    hindrances,
    insert_into,
    meta,
    metadata,
    outbox,
)

Migration = Callable[[Connection], None]


def _to_batches(connection: Connection) -> None:
    batches.create(connection)
    hindrances.create(connection)
    kind = clips.c.batch_id.type.compile(dialect=connection.dialect)
    column = f"batch_id {kind} REFERENCES batches (id)"
    connection.execute(text(f"ALTER TABLE clips ADD COLUMN {column}"))
    connection.execute(text("ALTER TABLE clips ADD COLUMN doubt VARCHAR"))
    refused = "refused BOOLEAN NOT NULL DEFAULT FALSE"
    connection.execute(text(f"ALTER TABLE observations ADD COLUMN {refused}"))
    new = {"clips_by_batch", "outbox_by_clip"}
    for index in [*clips.indexes, *outbox.indexes]:
        if index.name in new:
            index.create(connection)


def _to_counted_files(connection: Connection) -> None:
    folders.create(connection)
    connection.execute(text("ALTER TABLE roots ADD COLUMN others TEXT"))


def _to_version_keys(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE clips ADD COLUMN version_key VARCHAR"))


MIGRATIONS: Mapping[int, Migration] = {
    1: _to_batches,
    2: _to_counted_files,
    3: _to_version_keys,
}
"""What leads from this schema version to the next."""


def prepare(
    connection: Connection,
    *,
    version: int = SCHEMA_VERSION,
    migrations: Mapping[int, Migration] = MIGRATIONS,
) -> None:
    """Create or migrate, inside the caller's transaction: all of it or nothing.

    Raises Fatal: ledger.newer, ledger.foreign_tables.
    """
    found = _version_of(connection)
    if found is None:
        _create(connection, version)
    elif found > version:
        raise Fatal(
            f"The ledger is of a newer PostFlow (schema {found}; this one knows {version}).",
            hint="Install the newer PostFlow here too, or use another ledger.",
            code="ledger.newer",
        )
    elif found < version:
        _migrate(connection, found, version, migrations)
    _name(connection)


def _version_of(connection: Connection) -> int | None:
    present = set(inspect(connection).get_table_names()) & set(metadata.tables)
    if not present:
        return None
    query = select(meta.c.value).where(meta.c.key == "postflow_schema")
    value = connection.scalar(query) if meta.name in present else None
    if value is None:
        raise Fatal(
            f"The database holds tables that are not PostFlow's: {', '.join(sorted(present))}.",
            hint="Give PostFlow a database of its own.",
            code="ledger.foreign_tables",
        )
    return int(value)


def _name(connection: Connection) -> None:
    """Each ledger has an id of its own, from its beginning to its end."""
    naming = insert_into(connection, meta).values(key="ledger", value=uuid4().hex)
    connection.execute(naming.on_conflict_do_nothing())


def _create(connection: Connection, version: int) -> None:
    metadata.create_all(connection)
    connection.execute(insert(meta).values(key="postflow_schema", value=str(version)))


def _migrate(
    connection: Connection, found: int, version: int, migrations: Mapping[int, Migration]
) -> None:
    for step in range(found, version):
        migrations[step](connection)
    row = meta.c.key == "postflow_schema"
    connection.execute(update(meta).where(row).values(value=str(version)))
