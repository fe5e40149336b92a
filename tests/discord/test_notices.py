"""What goes wrong with a watched folder is told once, though the ledger is busy just then."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from postflow.errors import Retry
from postflow.folder.enrolment import enrol
from postflow.folder.notices import Notices, Outage, ScanReport, Trouble
from postflow.folder.pending import OVERDUE, PendingFiles
from postflow.folder.watcher import FolderWatcher
from postflow.ledger import AsyncLedger, open_ledger, opening, outbox
from postflow.media.containers.reading import NotWhole
from postflow.media.sighting import Sighting

CHANNEL = "main"
ONE, OTHER = Path("/mnt/one"), Path("/mnt/other")
WHY = "The ledger's database is busy."


@pytest.fixture
async def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncLedger]:
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.05)
    async with open_ledger(tmp_path / "ledger.db") as opened:
        yield opened


@contextmanager
def busy(folder: Path) -> Iterator[None]:
    """Somebody else writes to the ledger, and takes long."""
    somebody = sqlite3.connect(folder / "ledger.db")
    somebody.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        somebody.rollback()
        somebody.close()


def trouble(kind: Trouble, folder: Path) -> ScanReport:
    return ScanReport(folder=folder, alarm="It is so.", trouble=kind)


def told(ledger: AsyncLedger) -> list[str]:
    return [message.payload["title"] for message in outbox.messages(ledger.ledger)]


async def test_a_busy_ledger_costs_no_folder_its_notice(
    ledger: AsyncLedger, tmp_path: Path
) -> None:
    notices = Notices(ledger, CHANNEL, "run-1")
    room = PendingFiles(1, judge=lambda *_: NotWhole(reason="is cut"))
    clip = Sighting(relpath="a.mov", path=OTHER / "a.mov", size=1, mtime_ns=1)
    for now in (0.0, 1.0, 2.0):
        room.observe(clip, now)
    for now in (OVERDUE, OVERDUE + 10):
        late = ScanReport(folder=OTHER, overdue=tuple(room.overdue(now)))
        for looked in (trouble("offline", ONE), late):
            notices.take(looked)
        with busy(tmp_path), pytest.raises(Retry):
            await notices.hand_over()
    assert told(ledger) == []
    for _ in range(2):
        await notices.hand_over()
    assert told(ledger) == ["A watched folder is lost", "A clip does not become ready"]


async def test_two_runs_notices_are_two(ledger: AsyncLedger) -> None:
    for run_id in ("run-1", "run-2"):
        notices = Notices(ledger, CHANNEL, run_id)
        notices.take(trouble("late", ONE))
        await notices.hand_over()
    assert told(ledger) == ["A watched folder hangs"] * 2


async def test_an_alarm_tells_which_host_has_it_and_once_it_is_over_may_be_told_again(
    ledger: AsyncLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTFLOW_HOST", "render-2")
    notices = Notices(ledger, CHANNEL, "run-1")
    story = [
        trouble("late", ONE),
        trouble("late", ONE),
        ScanReport(folder=ONE),
        trouble("late", ONE),
    ]
    assert [notices.take(looked) for looked in story] == [False, False, True, False]
    await notices.hand_over()
    assert told(ledger) == ["A watched folder hangs"] * 2
    texts = [message.payload["description"] for message in outbox.messages(ledger.ledger)]
    assert texts == [r"On render\-2\: It is so."] * 2


def write_nameless(folder: Path) -> None:
    """A clip whose name is not UTF-8."""
    with open(os.fsencode(folder) + b"/SQ07_v\xff.mov", "wb") as clip:  # noqa: PTH123
        clip.write(b"x")


async def test_a_file_whose_name_keeps_it_from_travelling_is_told_once_also_after_a_restart(
    ledger: AsyncLedger, tmp_path: Path
) -> None:
    for folder in (tmp_path / "show", tmp_path / "show" / "nested"):
        folder.mkdir()
        enrol(ledger.ledger, "main", folder)
    write_nameless(tmp_path / "show")
    for run_id in ("run-1", "run-2"):
        notices = Notices(ledger, CHANNEL, run_id)
        watcher = FolderWatcher(ledger, "main", tmp_path / "show")
        for _ in range(2):
            notices.take(await watcher.scan())
        await notices.hand_over()
    (message,) = outbox.messages(ledger.ledger)
    assert message.payload["title"] == "Something in a watched folder cannot be delivered"
    assert "SQ07" in message.payload["description"]
    assert "nested" not in message.payload["description"], "that is as it was set up"


async def test_without_a_channel_nothing_is_kept(ledger: AsyncLedger) -> None:
    notices = Notices(ledger, None, "run-1")
    notices.take(trouble("late", ONE))
    await notices.hand_over()
    assert told(ledger) == []


async def test_that_the_ledger_is_away_is_not_left_to_the_ledger(
    ledger: AsyncLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said past the outbox, once for all folders, and once when it is over."""
    monkeypatch.setenv("POSTFLOW_HOST", "render-2")
    notices = Notices(ledger, CHANNEL, "run-1")
    said: list[tuple[str, str]] = []

    async def tell(*what: str) -> None:
        said.append((what[0], what[1]))

    outage = Outage(tell)
    for why in (WHY, WHY, None, None, WHY):
        for folder in (ONE, OTHER):
            notices.take(trouble("ledger", folder) if why else ScanReport(folder=folder))
        await outage.observe(why)
    await notices.hand_over()
    assert told(ledger) == []
    away = ("The ledger does not answer", f"On render-2: {WHY}")
    back = ("The ledger answers again", "On render-2: Clips go on by themselves.")
    assert said == [away, back, away]
