"""The marker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from postflow.errors import Fatal, Retry
from postflow.folder.root import MARKER, is_marked, read_mark
from postflow.folder.scanner import Scanner
from postflow.media.sighting import Offline
from tests.folder.ground import a_local_disk
from tests.folder.mounts import Mount
from tests.support.marked import mark_root


def test_marking_twice_keeps_the_first_marker(tmp_path: Path) -> None:
    first = mark_root(tmp_path)
    assert mark_root(tmp_path) == first == read_mark(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [MARKER]


def test_the_marker_tells_a_person_what_it_is(tmp_path: Path) -> None:
    mark_root(tmp_path)
    assert "leave it in place" in (tmp_path / MARKER).read_text()


def test_a_missing_root_is_told(tmp_path: Path) -> None:
    with pytest.raises(Fatal) as caught:
        mark_root(tmp_path / "absent")
    assert caught.value.code == "scan.root_missing"


def test_a_root_that_cannot_be_written_is_told() -> None:
    """Nobody may create a file in /proc, not even the superuser."""
    with pytest.raises(Fatal) as caught:
        mark_root(Path("/proc"))
    assert caught.value.code == "scan.root_readonly"


@pytest.mark.parametrize("look", [mark_root, is_marked])
def test_a_dead_mount_is_told_with_the_remedy(fuse: Mount, look: Callable[[Path], object]) -> None:
    """It is neither there nor not there: the marker may be below it."""
    fuse.kill()
    with pytest.raises(Retry) as caught:
        look(fuse.point)
    assert caught.value.code == "scan.unread"
    assert "not connected" in caught.value.message
    assert "mount its volume anew" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"name": 1}', b'{"id": 3}', b"\xff\xfe"])
def test_a_damaged_marker_is_offline(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MARKER).write_bytes(content)
    (tmp_path / "clip.mov").write_bytes(b"clip")
    result = Scanner(tmp_path, file_system=a_local_disk).scan()
    assert isinstance(result, Offline)
    assert "damaged" in result.reason


def test_a_folder_that_was_never_marked_is_offline(tmp_path: Path) -> None:
    (tmp_path / "clip.mov").write_bytes(b"clip")
    result = Scanner(tmp_path, file_system=a_local_disk).scan()
    assert isinstance(result, Offline)
    assert MARKER in result.reason
