"""The durable memory of deliveries: one open database, a clock, and short transactions."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec, Self, TypeVar

from pydantic import SecretStr
from sqlalchemy import Connection, Engine, RowMapping, Select, text

from postflow.errors import Retry
from postflow.media.volume import file_system_of

from .errors import disk_full, plain_faults
from .opening import BUSY_SECONDS, FindFileSystem, demand_schema, open_engine
from .transaction import M, Transaction

P = ParamSpec("P")
T = TypeVar("T")
Clock = Callable[[], datetime]

WAITS = BUSY_SECONDS * 1000
# Bytes that its disk has left, or nothing can be written.
LEAST_ROOM = 1 << 20


def utc_now() -> datetime:
    return datetime.now(tz=UTC)


class _Answer(NamedTuple):
    """What the database's clock said, and when by our own monotonic one."""

    said: datetime
    at: float

    def now(self) -> datetime:
        return self.said + timedelta(seconds=time.monotonic() - self.at)


class Ledger:
    """What the modules beside this one ask and tell: `claims.claim(ledger, ...)`.

    Live: close it. `reopen` opens the database anew. `clock` gives the time as an aware datetime;
    without one the time is PostgreSQL's, or with SQLite this machine's.

    `lives` counts how often the ledger began anew under us, since its file was taken away.
    """

    def __init__(
        self, engine: Engine, clock: Clock | None = None, reopen: Callable[[], Engine] | None = None
    ) -> None:
        self._engine = engine
        self._reopen = reopen
        self._file = self._file_now()
        self._clock = clock or (utc_now if self.dialect == "sqlite" else None)
        self._answer: _Answer | None = None
        self.lives = 1

    @classmethod
    def open(
        cls,
        where: str | SecretStr | Path | None = None,
        *,
        clock: Clock | None = None,
        file_system: FindFileSystem = file_system_of,
    ) -> Self:
        """Open or create it at a path or `postgresql://` URL. Raises as `open_engine` does."""
        opening = partial(open_engine, where, file_system)
        return cls(opening(), clock, opening)

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

    def without_room(self) -> list[Retry]:
        """Why nothing can be written into its file just now, if its disk is full. Blocking."""
        if self.dialect != "sqlite":
            return []
        try:
            free = shutil.disk_usage(Path(self.place).parent).free
        except OSError:
            return []
        return [disk_full()] if free < LEAST_ROOM else []

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """A transaction that may write: committed on leaving, rolled back on an error.

        Raises Fatal `ledger.newer` where another release has taken the ledger over meanwhile.
        """
        self._demand_file()
        with plain_faults(), self._engine.begin() as connection:
            demand_schema(connection)
            self._ask_clock(connection)
            transaction = Transaction(connection, self.now())
            yield transaction
        if transaction.forgets:
            self._empty_log()

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A transaction that only reads, all of it from one moment, and holds nobody up."""
        self._demand_file()
        engine = self._engine.execution_options(reading=True)
        if self.dialect == "postgresql":
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with plain_faults(), engine.begin() as connection:
            demand_schema(connection)
            if self._answer is None:
                self._ask_clock(connection)
            yield Transaction(connection, self.now())

    def rows(self, query: Select[Any]) -> Sequence[RowMapping]:
        """What the query finds, read in a transaction of its own."""
        with self.reading() as tx:
            return tx.rows(query)

    def entries(self, kind: type[M], query: Select[Any]) -> list[M]:
        """Each row that the query finds as a frozen type."""
        with self.reading() as tx:
            return tx.entries(kind, query)

    def scalars(self, query: Select[Any]) -> Sequence[Any]:
        """The first column of what the query finds."""
        with self.reading() as tx:
            return tx.scalars(query)

    def now(self) -> datetime:
        """By one clock for all hosts on PostgreSQL: as the database said in the last transaction
        that could write, and so in this one.
        """
        if self._clock is not None:
            return self._clock()
        if self._answer is None:
            with self.reading():
                pass
        assert self._answer is not None
        return self._answer.now()

    @property
    def host_ahead(self) -> timedelta:
        """How far this machine's clock is ahead of the one that `now` goes by."""
        return utc_now() - self.now()

    def _empty_log(self) -> None:
        """SQLite overwrites what is deleted; its write-ahead log has it until that is emptied. Who
        reads meanwhile keeps it, until the next time or until the last one closes the ledger.
        """
        if self.dialect != "sqlite":
            return
        with plain_faults(), closing(self._engine.raw_connection()) as connection:
            cursor = connection.cursor()
            for pragma in ("busy_timeout=0", "wal_checkpoint(TRUNCATE)", f"busy_timeout={WAITS}"):
                cursor.execute(f"PRAGMA {pragma}").fetchall()
            cursor.close()

    def _ask_clock(self, connection: Connection) -> None:
        if self._clock is None:
            said = connection.scalar(text("SELECT clock_timestamp()"))
            assert isinstance(said, datetime)
            self._answer = _Answer(said, time.monotonic())

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
            "The ledger {place} was deleted or replaced while PostFlow ran.",
            hint="PostFlow goes on with what is there now; a new one knows no watch folder, and "
            "nothing is sent before a person has said what becomes of the clips: `postflow enrol`.",
            code="ledger.replaced",
            place=self.place,
        )

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncLedger:
    """The ledger on its own thread: calls are done in order, even if their caller is cancelled."""

    def __init__(self, ledger: Ledger, thread: ThreadPoolExecutor) -> None:
        self.ledger = ledger
        self._thread = thread

    async def run(
        self, call: Callable[Concatenate[Ledger, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`await ledger.run(claims.claim, run_id, limit=4)`; with the caller's context."""
        asked_for = partial(call, self.ledger, *args, **kwargs)
        asked = self._thread.submit(copy_context().run, asked_for)
        return await asyncio.shield(asyncio.wrap_future(asked))

    async def now(self) -> datetime:
        """See `Ledger.now`."""
        return await self.run(Ledger.now)


@asynccontextmanager
async def open_ledger(
    where: str | SecretStr | Path | None = None, *, clock: Clock | None = None
) -> AsyncIterator[AsyncLedger]:
    """A ledger for the event loop; raises as `Ledger.open` does."""
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
    opening = thread.submit(Ledger.open, where, clock=clock)
    try:
        ledger = await asyncio.shield(asyncio.wrap_future(opening))
        yield AsyncLedger(ledger, thread)
    finally:
        thread.submit(_close, opening)
        await asyncio.to_thread(thread.shutdown)


def _close(opening: Future[Ledger]) -> None:
    if opening.exception() is None:
        opening.result().close()
