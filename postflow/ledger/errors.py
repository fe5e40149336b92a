"""What the database says, as PostFlow's errors; and what the ledger refuses."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

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

log = logging.getLogger(__name__)

# With no room for its shared memory, SQLite speaks of an I/O error.
FULL = ("disk is full", "no space", "disk i/o error")
LOCKED_OUT = ("unable to open", "readonly")
REFUSALS = ("authentication failed", "no password supplied", "does not exist", "pg_hba.conf")
NO_RIGHT = "42501"
OURS = (IntegrityError, ProgrammingError, DataError, NotSupportedError)
DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
BUSY_LIMIT = 60.0

T = TypeVar("T")


@contextmanager
def plain_faults() -> Iterator[None]:
    """Translate the database's errors into PostFlow's; mistakes of ours are raised as they are."""
    try:
        yield
    except DBAPIError as error:
        translated = _translated(error)
        if translated is None:
            raise
        raise translated from error
    except sqlite3.Error as error:
        raise _translated(DBAPIError(None, None, error)) or error from error


def _translated(error: DBAPIError) -> PostFlowError | None:
    """None for a mistake of ours. Damage needs proof: a backup put back undoes what came since."""
    text = str(error.orig).lower()
    if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in DAMAGED:  # the primary result code
        return damaged()
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


def damaged() -> Fatal:
    return Fatal(
        "The ledger cannot be read: its file is damaged or is not a ledger.",
        hint="Put the newest backup in its place; PostFlow asks Frame.io what arrived since.",
        code="ledger.damaged",
    )


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


async def retry_while_busy(call: Callable[[], Awaitable[T]], what: str) -> T:
    """The answer to `call`, asked again for a minute; then its Retry. `what` is said meanwhile."""

    def say(state: RetryCallState) -> None:
        log.warning("%s: %s", what, state.outcome and state.outcome.exception())

    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(Retry),
        wait=wait_random_exponential(multiplier=0.5, max=10),
        stop=stop_before_delay(BUSY_LIMIT),
        before_sleep=say,
        reraise=True,
    ):
        with attempt:
            return await call()
    raise AssertionError("tenacity returns or raises")
