"""A look-out whose ledger is busy just when something is wrong with the watch folders."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from postflow.ledger import Ledger, opening, queries
from postflow.sandbox import Sandbox
from postflow.state import state_dir
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import titles, words
from tests.journeys.studios import save
from tests.support.enrolled import enrolled
from tests.support.wait import wait_until

pytestmark = pytest.mark.prefect

LOST, SILENT = "A watched folder is lost", "The ledger does not answer"
BACK = "The ledger answers again"
PASSES = 3


@contextmanager
def away(folder: Path) -> Iterator[None]:
    gone = folder.rename(folder.with_name(f"{folder.name}-away"))
    yield
    gone.rename(folder)


@contextmanager
def busy_ledger() -> Iterator[None]:
    """Somebody else writes to it, and takes long."""
    somebody = sqlite3.connect(state_dir() / "ledger.db")
    somebody.execute("BEGIN IMMEDIATE")
    yield
    somebody.rollback()
    somebody.close()


@pytest.fixture
def quickly_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger is waited for no longer than a moment."""
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.1)


@pytest.fixture
def clip(make_clip: MakeClip) -> Path:
    return make_clip()


@pytest.fixture
async def folders(
    nothing_cached: None, world: Sandbox, clip: Path, tmp_path: Path
) -> AsyncIterator[list[Path]]:
    """Two, while a look-out watches them."""
    from postflow.flows.watch import watch

    both = [clip.parent, tmp_path / "second"]
    both[1].mkdir()
    enrolled(*both, studio="busy")
    watching = {"folders": both, "quiet": 0.1, "interval": 0.1}
    run = asyncio.create_task(watch(await save(world, name="busy", watching=watching)))
    await wait_until(lambda: is_known(clip))
    yield both
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


async def test_each_lost_folder_is_told_once_and_the_ledgers_silence_and_its_end_at_once(
    quickly_busy: None, world: Sandbox, folders: list[Path], said: Callable[[str], int]
) -> None:
    with ExitStack() as lost:
        with busy_ledger():
            for folder in folders:
                lost.enter_context(away(folder))
            await wait_until(lambda: said("out of reach") >= PASSES)
            assert titles(world) == [SILENT], "while it is silent"
        await wait_until(lambda: len(titles(world)) == 2 + len(folders))
    await wait_until(lambda: said("in order again") == len(folders))
    assert Counter(titles(world)) == {SILENT: 1, BACK: 1, LOST: len(folders)}
    with Ledger.open() as ledger, ledger.writing() as tx:
        tx.connection.exec_driver_sql("UPDATE meta SET value = '99' WHERE key = 'postflow_schema'")
    await wait_until(lambda: "of a newer PostFlow" in words(world))


def is_known(clip: Path) -> bool:
    with Ledger.open() as ledger:
        return any(row.name == clip.name for row in queries.rows(ledger))
