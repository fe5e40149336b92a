"""Being woken by what appears, and by the clock where nothing tells."""

from __future__ import annotations

import asyncio
import unicodedata
from pathlib import Path

import pytest

from postflow.folder.wakeup import Wakeup, wakeup

PATIENCE = 120


async def armed(bell: Wakeup, root: Path) -> None:
    """Drop files until one rings: watching begins some time after the start. Then one more, until
    it is heard of, so that nothing of them rings later.
    """
    for index in range(200):
        (root / f"armed{index}.mov").touch()
        if await bell.wait(root, 0.1, at_least=0):
            break
    else:
        raise AssertionError("The bell never rang.")
    (root / "last.mov").touch()
    async with asyncio.timeout(PATIENCE):
        while "last.mov" not in bell.touched(root):
            await bell.wait(root, 0.1, at_least=0)


async def test_a_file_that_appears_wakes_the_waiting(tmp_path: Path) -> None:
    async with wakeup(tmp_path) as bell:
        await armed(bell, tmp_path)
        waiting = asyncio.create_task(bell.wait(tmp_path, PATIENCE, at_least=0))
        (tmp_path / "clip.mov").write_bytes(b"clip")
        assert await waiting
        assert not await bell.wait(tmp_path, 0.01, at_least=0), "one appearance rings once"


async def test_a_fault_of_our_own_is_logged_and_the_root_is_watched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("postflow.folder.wakeup.RETRY_AFTER", 0.01)
    faults = [KeyError("unforeseen")]

    def has_events(_: Path) -> bool:
        if faults:
            raise faults.pop()
        return True

    async with wakeup(tmp_path, has_events=has_events) as bell:
        await armed(bell, tmp_path)
    assert "Traceback" in caplog.text


async def test_growth_and_temporary_names_do_not_wake(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mov"
    clip.write_bytes(b"clip")
    async with wakeup(tmp_path) as bell:
        await armed(bell, tmp_path)
        with clip.open("ab") as file:
            file.write(b"more")
        (tmp_path / "other.mov.part").write_bytes(b"half")
        assert not await bell.wait(tmp_path, 0.4, at_least=0)
        (tmp_path / "other.mov.part").rename(tmp_path / "other.mov")
        assert await bell.wait(tmp_path, PATIENCE, at_least=0)


async def test_a_file_that_is_overwritten_in_place_is_remembered_for_the_next_scan(
    tmp_path: Path,
) -> None:
    """Under the key the scans have for it, also where the root is a link."""
    (tmp_path / "volume" / "SQ01").mkdir(parents=True)
    clip = tmp_path / "volume" / "SQ01" / unicodedata.normalize("NFD", "é.mov")
    clip.write_bytes(b"clip")
    root = tmp_path / "show"
    root.symlink_to("volume")
    async with wakeup(root) as bell:
        await armed(bell, root)
        bell.touched(root)
        with clip.open("r+b") as file:
            file.write(b"a new export")
        heard: set[str] = set()
        async with asyncio.timeout(PATIENCE):
            while not heard:
                await bell.wait(root, 0.05, at_least=0)
                heard = bell.touched(root)
        assert heard == {unicodedata.normalize("NFC", "SQ01/é.mov")}
        assert bell.touched(root) == set(), "told once"
        assert bell.touched(tmp_path) == set()


async def test_a_root_without_events_is_left_to_the_clock_until_it_comes_back_with_them(
    tmp_path: Path,
) -> None:
    asked: list[Path] = []

    def from_the_second_time_on(root: Path) -> bool:
        asked.append(root)
        return len(asked) > 1

    async with wakeup(tmp_path, has_events=from_the_second_time_on) as bell:
        assert not await bell.wait(tmp_path, 0.1, at_least=0)
        (tmp_path / "clip.mov").touch()
        assert not await bell.wait(tmp_path, 0.4, at_least=0)
        assert asked == [tmp_path]
        bell.rearm(tmp_path)
        await armed(bell, tmp_path)


async def test_without_events_time_alone_ends_the_wait(tmp_path: Path) -> None:
    async with wakeup() as bell:
        (tmp_path / "clip.mov").touch()
        assert not await bell.wait(tmp_path, 0.01)


async def test_a_bell_can_be_rung_by_hand(tmp_path: Path) -> None:
    async with wakeup() as bell:
        bell.notify(tmp_path)
        assert await bell.wait(tmp_path, PATIENCE, at_least=0)


async def test_a_flood_is_answered_once(tmp_path: Path) -> None:
    async with wakeup(tmp_path) as bell:
        await armed(bell, tmp_path)
        for index in range(500):
            (tmp_path / f"clip{index}.mov").touch()
        assert await bell.wait(tmp_path, PATIENCE, at_least=1)
        assert not await bell.wait(tmp_path, 0.01, at_least=0)


async def test_a_root_that_is_not_there_is_told_once_and_watched_when_it_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "volume"
    async with wakeup(root) as bell:
        for _ in range(3):
            bell.rearm(root)
            assert not await bell.wait(root, 0.1, at_least=0)
        told = [record for record in caplog.records if "No events from" in record.message]
        assert len(told) == 1
        root.mkdir()
        bell.rearm(root)
        await armed(bell, root)


async def test_after_rearming_the_new_folder_of_the_same_name_is_watched(tmp_path: Path) -> None:
    root = tmp_path / "volume"
    root.mkdir()
    async with wakeup(root) as bell:
        await armed(bell, root)
        root.rename(tmp_path / "elsewhere")
        root.mkdir()
        bell.rearm(root)
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
