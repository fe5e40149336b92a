"""Is a watch folder in order, and how is it watched?"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from postflow.errors import Fatal
from postflow.media import volume
from postflow.media.filesystem import file_system_of
from postflow.models import is_clip
from postflow.settings import Watching

from .listing import Known
from .root import MARKER, AbsentError, missing, read_mark, unread
from .survey import Tree, join
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


MOST = 200

Written = tuple[int, str]


class Recent:
    """The newest clips of a tree by their mtime, at most `most`; frames of a sequence are none.

    Iterates over their relpaths. Those that are gone stay until the next `fill`.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._clips: dict[str, int] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._clips)

    def fill(self, tree: Tree) -> None:
        """Choose anew from all that is known."""
        self._keep(
            (known.mtime_ns, join(rel, key))
            for rel, folder in tree.items()
            for key, known in folder.files.items()
            if is_clip(key)
        )

    def add(self, written: Iterable[tuple[str, Known]]) -> None:
        """Files that are new, or changed."""
        found = {relpath: known.mtime_ns for relpath, known in written if is_clip(relpath)}
        if found:
            both = self._clips | found
            self._keep((mtime_ns, relpath) for relpath, mtime_ns in both.items())

    def _keep(self, written: Iterable[Written]) -> None:
        newest = heapq.nlargest(self._most, written)
        self._clips = {relpath: mtime_ns for mtime_ns, relpath in newest}
