"""Two `ingest` runs at once on one ledger."""

from __future__ import annotations

import pytest

from postflow.ledger import queries
from tests.crash.conftest import MakeGround
from tests.crash.ground import Ground
from tests.crash.record import check_delivered_once, check_one_stack, sent
from tests.support.wait import wait_until_sync

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(300)]

VERSIONS = 4
ON_DUTY = "run on duty"


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
@pytest.mark.parametrize(
    "clips",
    [
        pytest.param(6, id="6 clips"),
        pytest.param(200, id="200 clips", marks=[pytest.mark.soak, pytest.mark.timeout(2400)]),
    ],
)
async def test_two_runs_deliver_each_clip_once(
    request: pytest.FixtureRequest, make_ground: MakeGround, kind: str, clips: int
) -> None:
    where = str(request.getfixturevalue(f"{kind}_url"))
    async with make_ground(ledger=where) as ground:
        names = clip_names(clips)
        runs = [ground.start(idle_timeout=6.0) for _ in range(2)]
        wait_until_sync(lambda: all(ON_DUTY in ground.transitions(life) for life in (1, 2)))
        dropped = {name: ground.drop(name, atoms=n) for n, name in enumerate(names)}
        for run in runs:
            assert run.ends(timeout=2000)
        check_delivered_once(ground, dropped)
        assert sent(ground.world, "files.remote_upload") == clips
        check_one_stack(ground, names[:VERSIONS])
        assert len(runs_that_delivered(ground)) == 2


def clip_names(clips: int) -> list[str]:
    """Four versions of one shot, the rest shots of their own."""
    versions = [f"SQ07_UNDLM_00001_v{number:03}.mov" for number in range(1, VERSIONS + 1)]
    return versions + [f"SQ07_UNDLM_{number:05}_v001.mov" for number in range(2, clips - 2)]


def runs_that_delivered(ground: Ground) -> set[str]:
    with ground.open_ledger() as ledger:
        return {
            str(step.run_id)
            for row in queries.rows(ledger)
            for step in queries.steps(ledger, row.id)
            if step.event == "arrived"
        }
