"""Several processes on one ledger."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from postflow.ledger import Ledger
from tests.ledger import crowd, small_studio
from tests.ledger.consistency import check_consistent
from tests.ledger.lives import at_once, check_end, prepare, processes

CLIPS = 20


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
    prepare(where, 60)
    meeting = processes.Barrier(2)
    at_once(small_studio.only_claim, (where, "run-0", meeting), (where, "run-1", meeting))
    assert runs_that_claimed(where) == {"run-0", "run-1"}


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_no_two_writers_block_each_other_for_good(
    request: pytest.FixtureRequest, kind: str
) -> None:
    """Everything at once with leases that expire all the time: no deadlock, no broken story."""
    where = str(request.getfixturevalue(f"{kind}_url"))
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    at_once(crowd.jostle, (where, seed), (where, seed + 1), (where, seed + 2))
    with Ledger.open(where) as ledger:
        assert len(check_consistent(ledger)) > 6


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
