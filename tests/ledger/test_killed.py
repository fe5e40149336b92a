"""kill -9 at every moment: nothing lost, nothing twice, nothing called done that is not."""

from __future__ import annotations

import multiprocessing
import random
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from postflow.ledger import Ledger, MessageState, State
from tests.ledger import small_studio
from tests.ledger.consistency import check_consistent
from tests.ledger.ground import add
from tests.ledger.small_studio import read_lines

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.ledger.small_studio"])

CLIPS = 40
RANDOM_KILLS = 30


def prepare(where: str, clips: int) -> None:
    """Clips in pairs that belong on one stack."""
    with Ledger.open(where) as ledger:
        root = ledger.root("main", Path("/mnt/show"))
        for number in range(clips):
            add(ledger, root, f"shot{number // 2:02}_v{number % 2}.mov")


def live(
    where: str, world: Path, run_id: str, *, die_at: int | None = None, seconds: float | None = None
) -> bool:
    """One life of a run; True if it came to its end."""
    process = processes.Process(
        target=small_studio.work, args=(where, world, run_id), kwargs={"die_at": die_at}
    )
    process.start()
    if seconds is not None:
        time.sleep(seconds)
        process.kill()
    process.join(timeout=60)
    code = process.exitcode
    process.close()
    assert code in (0, -signal.SIGKILL)
    return code == 0


def check_midway(where: str, world: Path) -> None:
    """True at any moment: legal stories, and the ledger never claims more than the world holds."""
    there = {line["id"] for line in read_lines(world) if line["kind"] == "file"}
    with Ledger.open(where) as ledger:
        for clip in check_consistent(ledger):
            if clip["file_id"] is not None:
                assert clip["file_id"] in there


def check_end(where: str, world: Path, clips: int) -> int:
    """Each clip is there once and on one stack, each message at most once; returns unknown ones."""
    lines = read_lines(world)
    files = Counter(line["name"] for line in lines if line["kind"] == "file")
    stacked = Counter(line["file"] for line in lines if line["kind"] == "stacked")
    stacks = {line["name"]: set[str]() for line in lines if line["kind"] == "stacked"}
    for line in lines:
        if line["kind"] == "stacked":
            stacks[line["name"]].add(line["id"])
    posts = Counter(line["key"] for line in lines if line["kind"] == "message")
    with Ledger.open(where) as ledger:
        check_consistent(ledger)
        rows, messages = ledger.rows(), ledger.messages()
    assert {row.state for row in rows} == {State.DONE}
    assert set(files.values()) == set(stacked.values()) == {1}
    assert len(files) == len(stacked) == len(rows) == len(messages) == clips
    assert all(len(ids) == 1 for ids in stacks.values())
    states = {message.key: message.state for message in messages}
    assert set(states.values()) <= {MessageState.SENT, MessageState.UNKNOWN}
    for key, state in states.items():
        assert posts[key] == 1 or (state is MessageState.UNKNOWN and posts[key] == 0)
    return sum(state is MessageState.UNKNOWN for state in states.values())


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
    assert killed > 3
    while not live(where, world, "last"):
        pass
    check_end(where, world, CLIPS)
    if kind == "sqlite":
        with sqlite3.connect(where) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_two_runs_at_once_deliver_each_clip_once(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    where, world = str(request.getfixturevalue(f"{kind}_url")), tmp_path / "world"
    prepare(where, CLIPS)
    at_once(small_studio.work, (where, world, "run-0"), (where, world, "run-1"))
    assert check_end(where, world, CLIPS) == 0
    assert runs_that_claimed(where) <= {"run-0", "run-1"}


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_two_runs_at_once_claim_each_clip_once(request: pytest.FixtureRequest, kind: str) -> None:
    where = str(request.getfixturevalue(f"{kind}_url"))
    prepare(where, 200)
    meeting = processes.Barrier(2)
    at_once(small_studio.only_claim, (where, "run-0", meeting), (where, "run-1", meeting))
    assert runs_that_claimed(where) == {"run-0", "run-1"}


def at_once(what: Callable[..., None], *arguments: tuple[object, ...]) -> None:
    runs = [processes.Process(target=what, args=each) for each in arguments]
    for run in runs:
        run.start()
    for run in runs:
        run.join(timeout=100)
        assert run.exitcode == 0
        run.close()


def runs_that_claimed(where: str) -> set[str]:
    """The runs by which clips were claimed, each clip by one and once."""
    with Ledger.open(where) as ledger:
        clips = check_consistent(ledger)
    claims = [
        [step["run_id"] for step in clip["history"] if step["event"] == "claimed"] for clip in clips
    ]
    assert all(len(by) == 1 for by in claims)
    assert {clip["token"] for clip in clips} == {1}
    return {by[0] for by in claims}
