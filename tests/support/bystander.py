"""Another person on the same machine, who looks around while a clip travels."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

PAUSE = 0.01
PROCESSES = Path("/proc")


@dataclass(frozen=True)
class Seen:
    """A file as it was at one moment."""

    path: Path
    mode: int
    content: bytes


class Bystander:
    """Within `with`: reads all command lines and all files below `folder`, again and again."""

    def __init__(self, folder: Path) -> None:
        self.command_lines: set[bytes] = set()
        self.files: set[Seen] = set()
        self._folder = folder
        self._known: dict[Path, tuple[int, ...]] = {}
        self._over = threading.Event()
        # Many processes take long to read, and a file may be there for a moment only.
        looks = {self._look_at_processes: 5 * PAUSE, self._look_at_files: PAUSE}
        self._threads = [threading.Thread(target=self._again, args=each) for each in looks.items()]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _again(self, look: Callable[[], None], pause: float) -> None:
        while not self._over.wait(pause):
            with contextlib.suppress(OSError):
                look()

    def _look_at_processes(self) -> None:
        for process in PROCESSES.iterdir():
            with contextlib.suppress(OSError):
                if process.name.isdigit():
                    self.command_lines.add((process / "cmdline").read_bytes())

    def _look_at_files(self) -> None:
        """What has not changed is not read anew: a database so often is half a core."""
        for path in self._folder.rglob("*"):
            with contextlib.suppress(OSError):
                now = path.lstat()
                marks = now.st_ino, now.st_mode, now.st_size, now.st_mtime_ns
                if stat.S_ISREG(now.st_mode) and self._known.get(path) != marks:
                    self.files.add(_seen(path))
                    self._known[path] = marks


def files_below(folder: Path) -> set[Seen]:
    """Every file there that lasts long enough to be read."""
    found = set()
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            if stat.S_ISREG(path.lstat().st_mode):
                found.add(_seen(path))
    return found


def _seen(path: Path) -> Seen:
    with path.open("rb") as file:
        return Seen(path, stat.S_IMODE(os.fstat(file.fileno()).st_mode), file.read())
