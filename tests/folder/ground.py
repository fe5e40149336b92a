"""A watched folder to fill, and a clock that only moves when told."""

from __future__ import annotations

import os
from pathlib import Path

from postflow.folder.scanner import Scanner
from postflow.media.sighting import Scanned, ScanResult, Sighting
from postflow.media.volume import FileSystem


class Clock:
    """Monotonic seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


class Studio:
    """A marked root, and ways to fill it."""

    def __init__(self, root: Path, clock: Clock) -> None:
        self.root = root
        self.clock = clock

    def write(self, relpath: str, content: bytes = b"clip") -> Path:
        path = self.root / relpath
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def fill(self, count: int, folders: int = 10) -> None:
        for index in range(count):
            self.write(f"SQ{index % folders:02}/clip{index:04}.mov")

    def scanned(self, scanner: Scanner, *, full: bool = False) -> Scanned:
        """A scan that came to its end."""
        result = self.scanned_anything(scanner, full=full)
        assert isinstance(result, Scanned), result
        return result

    def scanned_anything(self, scanner: Scanner, *, full: bool = False) -> ScanResult:
        """Scan, after enough time for a directory's mtime to be believed."""
        self.clock.pass_(scanner.file_system.clock_step + 1)
        return scanner.scan(full=full)

    def believed(self, scanner: Scanner) -> Scanned:
        """Scan until every directory is believed and put all files to rest."""
        self.scanned(scanner)
        result = self.scanned(scanner)
        scanner.settle([sighting.relpath for sighting in scanner.everything()])
        return result


def a_local_disk(_path: Path) -> FileSystem:
    return FileSystem(kind="local", type="ext4")


def a_network_mount(_path: Path) -> FileSystem:
    return FileSystem(kind="network", type="fuse")


def relpaths(sightings: tuple[Sighting, ...]) -> list[str]:
    return sorted(sighting.relpath for sighting in sightings)


def too_deep(top: Path) -> None:
    """Below it is a path beyond the kernel's limit, which nobody can list."""
    top.mkdir()
    at = os.open(top, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=at)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)


def remembered(relpath: str, size: int, mtime_ns: int) -> Sighting:
    """A file of an earlier life."""
    return Sighting(relpath=relpath, path=Path(relpath), size=size, mtime_ns=mtime_ns)
