"""Is a watch folder in order, and how is it watched?"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from postflow.errors import Fatal, Retry
from postflow.scan.filesystem import file_system_of
from postflow.scan.root import MARKER, AbsentError, missing, read_mark, unread
from postflow.watching import Watching

PATIENCE = 15.0
UNMARKED = (
    "If it was watched before, its volume is not mounted. If it is new, the first `postflow up` "
    "puts the marker there."
)

T = TypeVar("T")


async def inspect(
    folder: Path, watching: Watching, *, patience: float = PATIENCE
) -> str | tuple[str, str]:
    """How the folder is watched; with a hint where somebody may have something to do.

    Raises Fatal `scan.root_missing`, Retry `scan.unread` or `scan.hangs`, the latter when its
    volume does not answer for `patience` seconds.
    """
    try:
        async with asyncio.timeout(patience):
            return await _in_the_background(lambda: _look(folder, watching))
    except TimeoutError:
        raise Retry(
            f"The volume of {folder} does not answer.",
            hint="Mount it anew; a look at it hangs, and so would every scan.",
            code="scan.hangs",
        ) from None


def _look(folder: Path, watching: Watching) -> str | tuple[str, str]:
    _demand_readable(folder)
    if not os.path.lexists(folder / MARKER):
        return f"there, but without its marker {MARKER}; {_manner(folder, watching)}", UNMARKED
    try:
        read_mark(folder)
    except AbsentError as error:
        raise Fatal(
            f"{folder}: {error}.",
            hint=f"If this is the right folder, delete its {MARKER} and start `postflow up`.",
            code="scan.root_missing",
        ) from error
    return f"there; {_manner(folder, watching)}"


def _demand_readable(folder: Path) -> None:
    try:
        with os.scandir(folder) as entries:
            next(entries, None)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise missing(f"There is no folder {folder}.") from error
    except OSError as error:
        raise unread(folder, error) from error


def _manner(folder: Path, watching: Watching) -> str:
    found = file_system_of(folder)
    disk = "a local disk" if found.kind == "local" else "a network mount"
    hurry = "at once by events, else" if found.has_events else "by the clock,"
    quiet = watching.quiet or found.quiet
    return (
        f"{disk} ({found.type}), looked at {hurry} every {watching.interval:g} s; "
        f"a file has to stand still for {quiet:g} s"
    )


async def _in_the_background(work: Callable[[], T]) -> T:
    """In a thread that keeps nobody from leaving: a look at a dead mount never comes back."""
    answer: Future[T] = Future()
    answer.set_running_or_notify_cancel()

    def run() -> None:
        try:
            answer.set_result(work())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=run, name="inspection", daemon=True).start()
    return await asyncio.wrap_future(answer)
