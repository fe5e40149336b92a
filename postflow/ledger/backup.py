"""A whole copy of a ledger in SQLite, taken while it is in use, and put back."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pydantic import SecretStr

from postflow.errors import Fatal

from .errors import damaged, plain_faults
from .opening import BUSY_SECONDS, VERSION, default_path, demand_version, is_shared


def file_of(where: SecretStr | None) -> Path:
    """Raises Fatal `ledger.no_file` for a ledger on PostgreSQL."""
    if is_shared(where):
        raise Fatal(
            "This ledger is a database on PostgreSQL, which has its own backup.",
            hint="Use `pg_dump` and `pg_restore`.",
            code="ledger.no_file",
        )
    return Path(where.get_secret_value()).expanduser() if where else default_path()


def back_up(ledger: Path, copy: Path) -> None:
    """Whole or not at all, readable by its owner only. Blocking. Raises as opening a ledger does,
    and OSError.
    """
    with tempfile.TemporaryDirectory(dir=copy.parent, prefix=f".{copy.name}.") as folder:
        draft = Path(folder) / copy.name
        with _read(ledger) as source, closing(sqlite3.connect(draft)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")  # one file, of a read-only disk too
        draft.chmod(0o600)
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(copy)


def restore(copy: Path, ledger: Path) -> Path | None:
    """Put a backup in the ledger's place; where what was there is kept, if something was. Nothing
    else may use the ledger. Blocking. Raises as `back_up`.
    """
    before = None
    with _read(copy) as source:
        if ledger.exists():
            before = ledger.with_name(f"{ledger.name}.before")
            back_up(ledger, before)
        # Not by its file: what `ledger.db-wal` holds would be mixed into it.
        with closing(sqlite3.connect(ledger, timeout=BUSY_SECONDS)) as target:
            source.backup(target)
        ledger.chmod(0o600)
    return before


@contextmanager
def _read(path: Path) -> Iterator[sqlite3.Connection]:
    """A ledger of this release whose pages are whole."""
    address = f"{path.absolute().as_uri()}?mode=ro"
    with plain_faults(), closing(sqlite3.connect(address, BUSY_SECONDS, uri=True)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
        if ("meta",) not in tables or connection.execute("PRAGMA quick_check(1)").fetchall() != [
            ("ok",)
        ]:
            raise damaged()
        (found,) = connection.execute(VERSION).fetchone() or (0,)
        demand_version(int(found))
        yield connection
