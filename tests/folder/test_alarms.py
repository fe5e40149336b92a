"""What a person is told of watched folders, and that it is told once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest

from postflow.folder.notices import TITLES, Notices, ScanReport, Trouble, overdue
from postflow.folder.pending import Waiting
from postflow.ledger import AsyncLedger, open_ledger

SHOW, OTHER = Path("/mnt/the show"), Path("/mnt/other")
IN_ORDER = ScanReport(folder=SHOW)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[AsyncLedger]:
    async with open_ledger(tmp_path / "ledger.db") as opened:
        yield opened


def trouble(kind: Trouble, folder: Path = SHOW) -> ScanReport:
    return ScanReport(folder=folder, alarm="It is so.", trouble=kind)


def begins(notices: Notices, report: ScanReport, caplog: pytest.LogCaptureFixture) -> bool:
    """Is it told?"""
    caplog.clear()
    notices.take(report)
    return "It is so." in caplog.text


async def test_each_kind_of_trouble_begins_once_while_a_folder_is_not_in_order(
    ledger: AsyncLedger, caplog: pytest.LogCaptureFixture
) -> None:
    notices = Notices(ledger, None, "run-1")
    story: list[Trouble] = ["offline", "offline", "vanished", "offline", "vanished"]
    told = [begins(notices, trouble(kind), caplog) for kind in story]
    assert told == [True, False, True, False, False]
    assert begins(notices, trouble("offline", OTHER), caplog), "of each folder by itself"
    assert not begins(notices, IN_ORDER, caplog)


async def test_it_ends_once_and_may_begin_again(
    ledger: AsyncLedger, caplog: pytest.LogCaptureFixture
) -> None:
    notices = Notices(ledger, None, "run-1")
    assert not notices.take(IN_ORDER)
    notices.take(trouble("late"))
    assert not notices.take(trouble("offline"))
    assert [notices.take(IN_ORDER) for _ in range(2)] == [True, False]
    assert begins(notices, trouble("late"), caplog)


def test_the_trouble_of_each_kind_has_a_title_of_its_own() -> None:
    assert len(set(TITLES.values())) == len(TITLES) == len(get_args(Trouble))


@pytest.mark.parametrize("refused", [True, False])
def test_a_clip_that_is_refused_is_told_with_the_way_by_hand(refused: bool) -> None:
    clip = Waiting(relpath="SQ01/a.mov", reason="ends too early", waited=3600, refused=refused)
    told = overdue(SHOW, clip)
    assert told.startswith("SQ01/a.mov ends too early, and has been waited for 60 min.")
    assert ("postflow upload '/mnt/the show/SQ01/a.mov'" in told) == refused
