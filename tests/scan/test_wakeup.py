"""Being woken by what appears, and by the clock where nothing tells."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from postflow.scan.wakeup import Wakeup, wakeup

PATIENCE = 20


async def armed(bell: Wakeup, root: Path) -> None:
    """Drop files until one rings: watching begins some time after the start."""
    for index in range(200):
        (root / f"armed{index}.mov").touch()
        if await bell.wait(0.1, at_least=0):
            break
    else:
        raise AssertionError("The bell never rang.")
    while await bell.wait(0.3, at_least=0):
        pass


async def test_a_file_that_appears_wakes_the_waiting(tmp_path: Path) -> None:
    async with wakeup(tmp_path) as bell:
        await armed(bell, tmp_path)
        waiting = asyncio.create_task(bell.wait(PATIENCE, at_least=0))
        (tmp_path / "clip.mov").write_bytes(b"clip")
        assert await waiting
        assert not await bell.wait(0.01, at_least=0), "one appearance rings once"


async def test_growth_and_temporary_names_do_not_wake(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mov"
    clip.write_bytes(b"clip")
    async with wakeup(tmp_path) as bell:
        await armed(bell, tmp_path)
        with clip.open("ab") as file:
            file.write(b"more")
        (tmp_path / "other.mov.part").write_bytes(b"half")
        assert not await bell.wait(0.4, at_least=0)
        (tmp_path / "other.mov.part").rename(tmp_path / "other.mov")
        assert await bell.wait(PATIENCE, at_least=0)


async def test_without_events_time_alone_ends_the_wait(tmp_path: Path) -> None:
    async with wakeup() as bell:
        (tmp_path / "clip.mov").touch()
        assert not await bell.wait(0.01)


async def test_a_bell_can_be_rung_by_hand() -> None:
    async with wakeup() as bell:
        bell.ring()
        assert await bell.wait(PATIENCE, at_least=0)


async def test_a_flood_is_answered_once(tmp_path: Path) -> None:
    async with wakeup(tmp_path) as bell:
        await armed(bell, tmp_path)
        for index in range(500):
            (tmp_path / f"clip{index}.mov").touch()
        assert await bell.wait(PATIENCE, at_least=1)
        assert not await bell.wait(0.01, at_least=0)


async def test_a_root_that_is_not_there_is_told_once_and_watched_when_it_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "volume"
    async with wakeup(root) as bell:
        for _ in range(3):
            bell.rearm()
            assert not await bell.wait(0.1, at_least=0)
        told = [record for record in caplog.records if "No events from" in record.message]
        assert len(told) == 1
        root.mkdir()
        bell.rearm()
        await armed(bell, root)


async def test_after_rearming_the_new_folder_of_the_same_name_is_watched(tmp_path: Path) -> None:
    root = tmp_path / "volume"
    root.mkdir()
    async with wakeup(root) as bell:
        await armed(bell, root)
        root.rename(tmp_path / "elsewhere")
        root.mkdir()
        bell.rearm()
        await armed(bell, root)


async def test_no_watcher_outlives_its_context(tmp_path: Path) -> None:
    before = asyncio.all_tasks()

    async def leave_by_an_error() -> None:
        async with wakeup(tmp_path) as bell:
            await armed(bell, tmp_path)
            raise RuntimeError("on the way out")

    with pytest.raises(RuntimeError, match="on the way out"):
        await leave_by_an_error()
    assert asyncio.all_tasks() == before
