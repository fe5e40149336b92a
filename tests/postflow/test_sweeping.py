"""What is removed in months of running, and what never is."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from postflow.state import is_due, sweep

MONTH = timedelta(days=30)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file of today, and one of long ago."""
    (tmp_path / "new").touch()
    long_ago(tmp_path / "old")
    return tmp_path


def long_ago(path: Path, *, by: timedelta = 2 * MONTH) -> Path:
    path.touch()
    then = time.time() - by.total_seconds()
    os.utime(path, (then, then))
    return path


def test_only_old_files_are_removed(folder: Path) -> None:
    assert sweep(list(folder.iterdir()), older=MONTH) == 1
    assert [path.name for path in folder.iterdir()] == ["new"]


def test_a_file_that_is_gone_already_is_no_trouble(folder: Path) -> None:
    assert sweep([folder / "never there"], older=MONTH) == 0


def test_it_is_due_once_a_day(tmp_path: Path) -> None:
    mark = tmp_path / "swept"
    assert [is_due(mark) for _ in range(3)] == [True, False, False]
    long_ago(mark, by=timedelta(days=2))
    assert is_due(mark)
