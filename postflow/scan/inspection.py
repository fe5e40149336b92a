"""Is a watch folder in order, and how is it watched?"""

from __future__ import annotations

import os
from pathlib import Path

from postflow.errors import Fatal
from postflow.media import volume
from postflow.media.filesystem import file_system_of
from postflow.watching import Watching

from .root import MARKER, AbsentError, missing, read_mark, unread
from .wakeup import is_spent, spent

PATIENCE = 15.0
UNMARKED = (
    "If it was watched before, its volume is not mounted. If it is new, the first `postflow up` "
    "puts the marker there."
)


async def inspect(
    folder: Path, watching: Watching, *, patience: float = PATIENCE
) -> str | tuple[str, str]:
    """How the folder is watched; with a hint where somebody may have something to do.

    Raises Fatal `scan.root_missing`, Retry `scan.unread` or `volume.hangs`, the latter when its
    volume does not answer for `patience` seconds.
    """
    looking = volume.ask(lambda: _look(folder, watching))
    return await volume.in_time(looking, folder, patience=patience)


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
    manner = f"there; {_manner(folder, watching)}"
    if file_system_of(folder).has_events and is_spent(folder):
        return manner, spent(folder)
    return manner


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
