"""`postflow check` looks at a watch folder."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from postflow.errors import Fatal, PostFlowError, Retry
from postflow.folder import wakeup
from postflow.folder.root import MARKER
from postflow.folder.wakeup import inspect
from postflow.settings import Watching
from tests.folder.ground import a_network_mount
from tests.folder.mounts import Mount
from tests.support.marked import mark_root

OWN_TIMES = Watching(quiet=2.5, interval=4)


async def test_a_folder_in_order_says_how_it_is_watched(tmp_path: Path) -> None:
    mark_root(tmp_path)
    said = await inspect(tmp_path, Watching())
    assert isinstance(said, str)
    assert said.startswith("there; a local disk (")
    assert (
        "as soon as something happens there, else every 10 s; a file has to stand still for 10 s"
        in said
    )
    assert "every 4 s; a file has to stand still for 2.5 s" in str(
        await inspect(tmp_path, OWN_TIMES)
    )


async def test_a_network_mount_is_looked_at_by_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark_root(tmp_path)
    monkeypatch.setattr(wakeup, "file_system_of", a_network_mount)
    said = str(await inspect(tmp_path, Watching()))
    assert "a network mount (fuse), looked at by the clock, every 10 s" in said
    assert "still for 60 s" in said


async def test_a_folder_without_a_marker_is_new_or_lost(tmp_path: Path) -> None:
    said = await inspect(tmp_path, Watching())
    assert isinstance(said, tuple)
    assert "without its marker" in said[0]
    assert "not mounted" in said[1]
    assert not (tmp_path / MARKER).exists()


def damaged(folder: Path) -> None:
    (folder / MARKER).write_text("{")


def a_file(folder: Path) -> None:
    folder.rmdir()
    folder.touch()


@pytest.mark.parametrize(
    ("cause", "kind", "code", "hint"),
    [
        (Path.rmdir, Fatal, "scan.root_missing", "Mount the volume"),
        (a_file, Fatal, "scan.root_missing", "Mount the volume"),
        (damaged, Fatal, "scan.root_missing", f"delete its {MARKER}"),
    ],
)
async def test_a_folder_that_cannot_be_watched_is_refused_with_the_remedy(
    tmp_path: Path, cause: object, kind: type[PostFlowError], code: str, hint: str
) -> None:
    folder = tmp_path / "show"
    folder.mkdir()
    assert callable(cause)
    cause(folder)
    with pytest.raises(kind) as refused:
        await inspect(folder, Watching())
    assert refused.value.code == code
    assert hint in refused.value.hint


async def test_a_dead_mount_is_told_with_what_the_system_says_of_it(fuse: Mount) -> None:
    fuse.kill()
    with pytest.raises(Retry) as dead:
        await inspect(fuse.point, Watching())
    assert dead.value.code == "scan.unread"
    assert "not connected" in dead.value.message


async def test_a_volume_that_does_not_answer_is_told_and_keeps_nobody(tmp_path: Path) -> None:
    """A marker that is a pipe without a writer hangs whoever reads it, as a dead mount does."""
    marker = tmp_path / MARKER
    os.mkfifo(marker)
    with pytest.raises(Retry) as hangs:
        await inspect(tmp_path, Watching(), timeout=0.1)
    assert hangs.value.code == "volume.hangs"

    def let_it_end() -> None:
        with marker.open("wb"):
            pass

    await asyncio.to_thread(let_it_end)
