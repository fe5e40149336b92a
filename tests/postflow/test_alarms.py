"""What a person is told of watched folders, and that it is told once."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from postflow.folder.notices import TITLES, Alarms, overdue
from postflow.folder.pending import Waiting
from postflow.folder.watcher import ScanReport, Trouble

SHOW, OTHER = Path("/mnt/the show"), Path("/mnt/other")
IN_ORDER = ScanReport(folder=SHOW)


def trouble(kind: Trouble, folder: Path = SHOW) -> ScanReport:
    return ScanReport(folder=folder, alarm="It is so.", trouble=kind)


def test_each_kind_of_trouble_begins_once_while_a_folder_is_not_in_order() -> None:
    alarms = Alarms()
    story: list[Trouble] = ["offline", "offline", "vanished", "offline", "vanished"]
    assert [alarms.begins(trouble(kind)) for kind in story] == [True, False, True, False, False]
    assert alarms.begins(trouble("offline", OTHER)), "of each folder by itself"
    assert not alarms.begins(IN_ORDER)


def test_it_ends_once_and_may_begin_again() -> None:
    alarms = Alarms()
    assert not alarms.ends(IN_ORDER)
    alarms.begins(trouble("late"))
    assert not alarms.ends(trouble("offline"))
    assert [alarms.ends(IN_ORDER) for _ in range(2)] == [True, False]
    assert alarms.begins(trouble("late"))


def test_the_trouble_of_each_kind_has_a_title_of_its_own() -> None:
    assert len(set(TITLES.values())) == len(TITLES) == len(get_args(Trouble))


@pytest.mark.parametrize("refused", [True, False])
def test_a_clip_that_is_refused_is_told_with_the_way_by_hand(refused: bool) -> None:
    clip = Waiting(relpath="SQ01/a.mov", reason="ends too early", waited=3600, refused=refused)
    told = overdue(SHOW, clip)
    assert told.startswith("SQ01/a.mov ends too early, and has been waited for 60 min.")
    assert ("postflow upload '/mnt/the show/SQ01/a.mov'" in told) == refused
