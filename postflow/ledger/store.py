"""One open database: short transactions, a clock, and its faults in plain words."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
)
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_before_delay,
    wait_random_exponential,
)

from postflow.errors import Fatal, PostFlowError, Retry

Clock = Callable[[], datetime]
# With no room for its shared memory, SQLite speaks of an I/O error.
FULL = ("disk is full", "no space", "disk i/o error")
LOCKED_OUT = ("unable to open", "readonly")
REFUSALS = ("authentication failed", "no password supplied", "does not exist", "pg_hba.conf")
NO_RIGHT = "42501"
OURS = (IntegrityError, ProgrammingError, DataError, NotSupportedError)
DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
Insert = sqlite.Insert | postgresql.Insert


def utc_now() -> datetime:
    return datetime.now(tz=UTC)


class Store:
    """Live: close it. `clock` gives the time as an aware datetime, `reopen` the database anew.

    `lives` counts how often the ledger began anew under us, since its file was taken away.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock = utc_now,
        reopen: Callable[[], Engine] | None = None,
    ) -> None:
        self._engine = engine
        self._reopen = reopen
        self._file = self._file_now()
        self.now = clock
        self.lives = 1

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @property
    def place(self) -> str:
        """Where it lives, for people: never a password."""
        url = self._engine.url
        if self.dialect == "sqlite":
            return str(url.database)
        return f"PostgreSQL database {url.database} on {url.host or 'this machine'}"

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write: committed on leaving, rolled back on an error."""
        self._demand_file()
        with plain_faults(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads, all of it from one moment, and holds nobody up."""
        self._demand_file()
        engine = self._engine.execution_options(reading=True)
        if self.dialect == "postgresql":
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with plain_faults(), engine.begin() as connection:
            yield connection

    def _file_now(self) -> tuple[int, int] | None:
        """Which file SQLite's is; None for another database, or where there is none."""
        if self.dialect != "sqlite":
            return None
        with suppress(OSError):
            found = Path(str(self._engine.url.database)).stat()
            return found.st_dev, found.st_ino
        return None

    def _demand_file(self) -> None:
        """What is written to a deleted file, nobody reads. Raises Retry `ledger.replaced` once."""
        if self._reopen is None or self._file_now() == self._file:
            return
        self._engine.dispose()
        self._engine = self._reopen()
        self._file = self._file_now()
        self.lives += 1
        raise Retry(
            f"The ledger {self.place} was deleted or replaced while PostFlow ran.",
            hint="PostFlow goes on with what is there now; a new one knows no watch folder, and "
            "nothing is sent before a person has said what becomes of the clips: `postflow enrol`.",
            code="ledger.replaced",
        )

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
    except DBAPIError as error:
        told = _told(error)
        if told is None:
            raise
        raise told from error


def _told(error: DBAPIError) -> PostFlowError | None:
    """None for a mistake of ours. Damage needs proof: a backup put back undoes what came since."""
    text = str(error.orig).lower()
    if _sqlite_code(error) in DAMAGED:
        return Fatal(
            "The ledger cannot be read: its file is damaged or is not a ledger.",
            hint="Put the newest backup in its place; PostFlow asks Frame.io what arrived since.",
            code="ledger.damaged",
        )
    has_no_right = getattr(error.orig, "sqlstate", None) == NO_RIGHT
    if isinstance(error, OURS) and not has_no_right:
        return None
    if has_no_right or any(word in text for word in REFUSALS):
        return Fatal(
            "The ledger's database does not let PostFlow in.",
            hint="Correct the user, password or database name in the ledger's address, or the "
            "rights of that user.",
            code="ledger.refused",
        )
    return _for_now(text)


def _sqlite_code(error: DBAPIError) -> int:
    """The primary result code; 0 where SQLite told none."""
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF


def disk_full() -> Retry:
    return Retry(
        "The disk that holds the ledger is full, or gives errors.",
        hint="Free some space there; PostFlow goes on where it stopped.",
        code="ledger.disk_full",
    )


def _for_now(text: str) -> Retry:
    if any(word in text for word in FULL):
        return disk_full()
    if any(word in text for word in LOCKED_OUT):
        return Retry(
            "The ledger cannot be opened for writing.",
            hint="See whether its disk is full or read-only, and who owns its folder; PostFlow "
            "goes on where it stopped once its user can write there.",
            code="ledger.not_writable",
        )
    return Retry(
        "The ledger's database is busy, out of reach, or takes no writes just now.",
        hint="It is tried again; if it goes on, see whether the database and its disk are well.",
        code="ledger.unreachable",
    )


log = logging.getLogger(__name__)

WITHIN = 60.0

T = TypeVar("T")


async def retry_while_busy(call: Callable[[], Awaitable[T]], what: str) -> T:
    """The answer to `call`, asked again for a minute; then its Retry. `what` is said meanwhile."""

    def say(state: RetryCallState) -> None:
        log.warning("%s: %s", what, state.outcome and state.outcome.exception())

    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(Retry),
        wait=wait_random_exponential(multiplier=0.5, max=10),
        stop=stop_before_delay(WITHIN),
        before_sleep=say,
        reraise=True,
    ):
        with attempt:
            return await call()
    raise AssertionError("tenacity returns or raises")
