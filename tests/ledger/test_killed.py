"""kill -9 at every moment: nothing lost, nothing twice, nothing called done that is not."""

from __future__ import annotations

import random
import shutil
import sqlite3
from itertools import count
from pathlib import Path

import pytest

from tests.ledger.lives import check_end, check_midway, live, prepare

CLIPS = 20
RANDOM_KILLS = 10


def test_killed_at_every_moment(quick_folder: Path) -> None:
    """Before and after each commit, before and after each effect, until no moment is left."""
    fresh = quick_folder / "fresh.db"
    prepare(str(fresh), 2)
    for die_at in count(1):
        where, world = str(quick_folder / f"{die_at}.db"), quick_folder / f"{die_at}.world"
        shutil.copyfile(fresh, where)
        if live(where, world, "first", die_at=die_at):
            break
        check_midway(where, world)
        assert live(where, world, "second")
        assert check_end(where, world, 2) <= 1
    assert die_at > 40


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_killed_at_any_moment(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    where, world = str(request.getfixturevalue(f"{kind}_url")), tmp_path / "world"
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    luck = random.Random(seed)
    prepare(where, CLIPS)
    killed = 0
    while not live(where, world, f"life-{killed}", seconds=luck.uniform(0.005, 0.12)):
        killed += 1
        check_midway(where, world)
        assert killed < 500
        if killed == RANDOM_KILLS:
            break
    assert killed
    while not live(where, world, "last"):
        pass
    check_end(where, world, CLIPS)
    if kind == "sqlite":
        with sqlite3.connect(where) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
