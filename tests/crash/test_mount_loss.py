"""A watched folder that is lost and found: no conclusion is drawn, nobody has to mend anything."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import pytest

from postflow.folder.root import read_mark
from postflow.folder.watcher import FolderWatcher
from postflow.ledger import (
    AsyncLedger,
    Ledger,
    claims,
    export,
    observations,
    open_ledger,
    queries,
    roots,
)
from postflow.sandbox import Sandbox
from postflow.sandbox.clips import clip_path
from postflow.settings import Watching
from tests.crash.conftest import MakeGround
from tests.crash.ground import Ground
from tests.support.enrolled import enrolled
from tests.support.wait import wait_until

FEW = 200


@contextmanager
def unmounted(root: Path) -> Iterator[None]:
    """The mount point is gone with the volume."""
    away = root.rename(root.with_name("away"))
    yield
    away.rename(root)


@contextmanager
def empty_mount_point(root: Path) -> Iterator[None]:
    """What a lost volume leaves most often: its empty mount point."""
    away = root.rename(root.with_name("away"))
    root.mkdir()
    yield
    root.rmdir()
    away.rename(root)


@contextmanager
def hollow(root: Path) -> Iterator[None]:
    """The volume answers, and lists hardly anything."""
    away = root.with_name("away")
    away.mkdir()
    for folder in list(root.glob("shot*")):
        folder.rename(away / folder.name)
    yield
    for folder in list(away.iterdir()):
        folder.rename(root / folder.name)
    away.rmdir()


@asynccontextmanager
async def watched(
    folder: Path, clips: int = FEW
) -> AsyncIterator[tuple[AsyncLedger, FolderWatcher, Path]]:
    root = folder / "volume"
    root.mkdir()
    enrolled(root, ledger=folder / "ledger.db")
    first = folder / "clip.mov"
    shutil.copyfile(clip_path(), first)
    for number in range(clips):
        path = root / f"shot{number % 40}" / f"SQ01_{number:05}_v001.mov"
        path.parent.mkdir(exist_ok=True)
        os.link(first, path)
    async with open_ledger(str(folder / "ledger.db")) as ledger:
        watcher = FolderWatcher(ledger, "main", root, Watching(quiet=0.05))
        entered = 0
        while entered < clips:
            entered += len((await watcher.scan()).ready)
            await asyncio.sleep(0.03)
        yield ledger, watcher, root


def story(path: Path) -> list[str]:
    """All that the ledger says of clips; its first line is the time of asking."""
    with Ledger.open(path) as ledger:
        return list(export.lines(ledger))[1:]


@pytest.mark.parametrize(
    ("clips", "times"), [(FEW, 6), pytest.param(1000, 20, marks=pytest.mark.soak)]
)
async def test_known_files_survive_losses_of_their_volume(
    quick_folder: Path, clips: int, times: int
) -> None:
    losses = [unmounted, empty_mount_point, hollow]
    async with watched(quick_folder, clips) as (ledger, watcher, root):
        before = story(quick_folder / "ledger.db")
        for number in range(times):
            with losses[number % len(losses)](root):
                lost = [await watcher.scan() for _ in range(3)]
            assert all(look.alarm for look in lost), losses[number % len(losses)]
            back = [await watcher.scan() for _ in range(3)]
            assert [look.alarm for look in back] == [None] * 3
            assert not any(look.ready or look.waiting for look in (*lost, *back))
        assert story(quick_folder / "ledger.db") == before
        assert await ledger.run(claims.ready) == clips
        found = await ledger.run(roots.find_root, "main", read_mark(root).id)
        assert found is not None
        known = await ledger.run(observations.known, found)
        assert len(known) == clips


async def test_a_restart_while_the_volume_is_lost_changes_nothing(quick_folder: Path) -> None:
    async with watched(quick_folder) as (ledger, _, root):
        before = story(quick_folder / "ledger.db")
        restarted = FolderWatcher(ledger, "main", root, Watching(quiet=0.05))
        with unmounted(root):
            assert (await restarted.scan()).alarm
        looks = [await restarted.scan() for _ in range(3)]
        assert not any(look.ready or look.waiting or look.alarm for look in looks)
        assert story(quick_folder / "ledger.db") == before


@pytest.mark.prefect
async def test_each_loss_is_told_once(
    make_ground: MakeGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    from postflow.flows.watch import watch

    async with make_ground() as ground:
        monkeypatch.setenv("POSTFLOW_STATE_DIR", str(ground.state))
        watching = asyncio.create_task(watch(ground.studio))
        try:
            for number in (1, 2):
                with unmounted(ground.watched):
                    await wait_until(partial(is_lost, ground.world, number))
                ground.drop(f"SQ07_UNDLM_0015{number}_v001.mov", atoms=number)
                await wait_until(partial(is_known, ground, number))
            assert lost(ground.world) == 2
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


def is_lost(world: Sandbox, times: int) -> bool:
    return lost(world) == times


def is_known(ground: Ground, clips: int) -> bool:
    return known(ground) == clips


def lost(world: Sandbox) -> int:
    titles = [message["embeds"][0]["title"] for message in world.messages()]
    return titles.count("A watched folder is lost")


def known(ground: Ground) -> int:
    with ground.open_ledger() as ledger:
        return len(queries.rows(ledger))
