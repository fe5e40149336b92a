"""A watched folder, and a scanner for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from postflow.folder.scanner import Scanner
from tests.folder.ground import Clock, Studio, a_local_disk
from tests.folder.mounts import Mount, why_no_fuse
from tests.support.marked import mark_root


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def studio(tmp_path: Path, clock: Clock) -> Studio:
    root = tmp_path / "volume"
    root.mkdir()
    mark_root(root)
    return Studio(root, clock)


@pytest.fixture
def scanner(studio: Studio) -> Scanner:
    return Scanner(studio.root, clock=studio.clock, file_system=a_local_disk)


@pytest.fixture
def read_calls(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """The directories listed since the last call."""
    listed: list[str] = []
    original = os.scandir

    def counting(path: str) -> object:
        listed.append(path)
        return original(path)

    def since() -> list[str]:
        found = list(listed)
        listed.clear()
        return found

    monkeypatch.setattr("postflow.folder.listing.os.scandir", counting)
    return since


@pytest.fixture
def fuse(tmp_path: Path) -> Iterator[Mount]:
    """Mounted: `source` is the volume itself, `point` the place where it is to be found."""
    reason = why_no_fuse()
    if reason is not None:
        pytest.skip(reason)
    mount = Mount(tmp_path / "backing", tmp_path / "point")
    mount.source.mkdir()
    mount.point.mkdir()
    mount.mount()
    try:
        yield mount
    finally:
        mount.close()
