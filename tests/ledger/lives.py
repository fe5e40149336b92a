"""Runs as processes of their own, and what must be true of ledger and world while and after."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from postflow.ledger import Ledger, MessageState, State, outbox, queries, roots
from tests.ledger import small_studio
from tests.ledger.consistency import check_consistent
from tests.ledger.ground import add
from tests.ledger.small_studio import read_lines

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.ledger.small_studio", "tests.ledger.crowd"])


def prepare(where: str, clips: int) -> None:
    """Clips in pairs that belong on one stack."""
    with Ledger.open(where) as ledger:
        root = roots.add(ledger, "main", Path("/mnt/show"))
        for number in range(clips):
            add(ledger, root, f"shot{number // 2:02}_v{number % 2}.mov")


def live(
    where: str, world: Path, run_id: str, *, die_at: int | None = None, seconds: float | None = None
) -> bool:
    """One life of a run; True if it came to its end."""
    process = processes.Process(
        target=small_studio.work,
        args=(where, world, run_id),
        kwargs={"die_at": die_at},
        daemon=True,
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
        rows, messages = queries.rows(ledger), outbox.messages(ledger)
    assert {row.state for row in rows} == {State.DONE}
    assert set(files.values()) == set(stacked.values()) == {1}
    assert len(files) == len(stacked) == len(rows) == len(messages) == clips
    assert all(len(ids) == 1 for ids in stacks.values())
    states = {message.key: message.state for message in messages}
    assert set(states.values()) <= {MessageState.SENT, MessageState.UNKNOWN}
    for key, state in states.items():
        assert posts[key] == 1 or (state is MessageState.UNKNOWN and posts[key] == 0)
    return sum(state is MessageState.UNKNOWN for state in states.values())


def at_once(what: Callable[..., None], *arguments: tuple[object, ...]) -> None:
    runs = [processes.Process(target=what, args=each, daemon=True) for each in arguments]
    for run in runs:
        run.start()
    for run in runs:
        run.join(timeout=100)
    assert [run.exitcode for run in runs] == [0] * len(runs)
