"""One at a time, among the tasks of a process too."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from postflow.errors import Retry
from postflow.locks import one_at_a_time


async def test_tasks_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    inside: list[int] = []

    async def enter(number: int) -> int:
        async with one_at_a_time("folder", "parent", folder=tmp_path):
            inside.append(number)
            await asyncio.sleep(0.001)
            together = len(inside)
            inside.remove(number)
        return together

    assert set(await asyncio.gather(*map(enter, range(10)))) == {1}


async def test_other_keys_and_other_folders_do_not_wait(tmp_path: Path) -> None:
    async with (
        one_at_a_time("folder", "parent", folder=tmp_path),
        one_at_a_time("folder", "other", folder=tmp_path),
        one_at_a_time("upload", "parent", folder=tmp_path),
        one_at_a_time("folder", "parent", folder=tmp_path / "deeper" / "still"),
    ):
        pass


@pytest.mark.parametrize(("clip", "code"), [("", "postflow.locked"), ("a.mov", "clip.busy")])
async def test_who_waits_too_long_is_told_why(clip: str, code: str, tmp_path: Path) -> None:
    async with one_at_a_time("clip", "parent", folder=tmp_path, clip=clip):
        with pytest.raises(Retry) as raised:
            async with one_at_a_time("clip", "parent", folder=tmp_path, clip=clip, timeout=0.1):
                pass
    assert raised.value.code == code
    assert clip in raised.value.message


async def test_the_lock_is_free_again_after_a_cancelled_wait(tmp_path: Path) -> None:
    async with one_at_a_time("folder", "parent", folder=tmp_path):
        waiting = asyncio.create_task(_enter(tmp_path))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await _enter(tmp_path)


async def _enter(folder: Path) -> None:
    async with one_at_a_time("folder", "parent", folder=folder, timeout=5.0):
        pass
