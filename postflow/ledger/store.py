"""One open database: short transactions, a clock, and its faults in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError, ProgrammingError

from postflow.errors import Fatal, PostFlowError, Retry

Clock = Callable[[], datetime]
# With no room for its shared memory, SQLite speaks of an I/O error.
FULL = ("disk is full", "no space", "disk i/o error")
REFUSALS = ("authentication failed", "no password supplied", "does not exist", "pg_hba.conf")
Insert = sqlite.Insert | postgresql.Insert


def utc_now() -> datetime:
    return datetime.now(tz=UTC)


class Store:
    """Live: close it. `clock` gives the time as an aware datetime."""

    def __init__(self, engine: Engine, clock: Clock = utc_now) -> None:
        self._engine = engine
        self.now = clock

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write: committed on leaving, rolled back on an error."""
        with plain_faults(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads, all of it from one moment, and holds nobody up."""
        engine = self._engine.execution_options(reading=True)
        if self.dialect == "postgresql":
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with plain_faults(), engine.begin() as connection:
            yield connection

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def insert_into(connection: Connection, table: Table) -> Insert:
    """An INSERT that knows ON CONFLICT, which each database spells its own way."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


@contextmanager
def plain_faults() -> Iterator[None]:
    """Turn what the database says into PostFlow's errors; our own mistakes stay what they are."""
    try:
        yield
    except (IntegrityError, ProgrammingError):
        raise
    except OperationalError as error:
        raise _operational(error) from error
    except DatabaseError as error:
        raise Fatal(
            "The ledger cannot be read: its file is damaged or is not a ledger.",
            hint="Put the newest backup in its place; PostFlow asks Frame.io what arrived since.",
            code="ledger.damaged",
        ) from error


def _operational(error: OperationalError) -> PostFlowError:
    text = str(error.orig).lower()
    if any(word in text for word in FULL):
        return Fatal(
            "The disk that holds the ledger is full, or gives errors.",
            hint="Free some space there; PostFlow goes on where it stopped.",
            code="ledger.disk_full",
        )
    if "unable to open" in text or "readonly" in text:
        return Fatal(
            "The ledger's file cannot be opened for writing.",
            hint="See who owns the ledger's folder; PostFlow's user must be able to write there.",
            code="ledger.not_writable",
        )
    if any(word in text for word in REFUSALS):
        return Fatal(
            "The ledger's database does not let PostFlow in.",
            hint="Correct the user, password or database name in the ledger's address.",
            code="ledger.refused",
        )
    return Retry(
        "The ledger's database is busy or out of reach.",
        hint="It is tried again; if it goes on, see whether the database and its disk are well.",
        code="ledger.unreachable",
    )
