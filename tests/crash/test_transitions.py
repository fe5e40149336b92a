"""kill -9 of a running `ingest` before and after everything it makes durable; then another run.

Nothing is lost, nothing is there twice, nothing is called delivered that is not. The matrix with
one world for each death is in test_soak.py.
"""

from __future__ import annotations

from typing import get_args

import pytest

from tests.crash.agents import agents
from tests.crash.conftest import MakeGround
from tests.crash.ground import Ground
from tests.crash.killing import Death, Moment
from tests.crash.three_clips import TRANSITIONS, ThreeClips

pytestmark = [pytest.mark.prefect, pytest.mark.slow]


async def test_all_transitions_are_known(ground: Ground) -> None:
    """So that a new one cannot be left out of the tests below."""
    clips = ThreeClips(ground)
    assert clips.finish() == 0
    assert set(ground.transitions(1)) == set(TRANSITIONS)


@pytest.mark.parametrize("moment", get_args(Moment))
async def test_each_run_dies_one_transition_later_than_the_last(
    make_ground: MakeGround, moment: Moment
) -> None:
    """One clip after the other, so that the transitions come in their order."""
    async with make_ground(watching={"at_once": 1}) as ground:
        clips = ThreeClips(ground)
        for transition in TRANSITIONS:
            clips.die(Death(at=transition, moment=moment))
        clips.finish()


@pytest.mark.parametrize("moment", get_args(Moment))
async def test_a_placeholder_that_nobody_fills_is_replaced(ground: Ground, moment: Moment) -> None:
    """Frame.io takes long to fetch, and the run that would have served it is dead."""
    ground.world.fault("delay", "fetch", seconds=600, times=2)
    clips = ThreeClips(ground)
    clips.die(Death(at="clip requested", moment=moment))
    clips.finish()


@pytest.mark.parametrize(
    "death",
    [Death(at="clip requested"), Death(at="message sent", nth=5, moment="after")],
    ids=["in mid-transfer", "with nothing left to deliver"],
)
async def test_no_agent_outlives_the_run_after(make_ground: MakeGround, death: Death) -> None:
    async with make_ground(tunnel="ngrok") as ground:
        clips = ThreeClips(ground)
        clips.die(death)
        assert list((ground.state / "ngrok").iterdir())
        clips.finish()
        assert not agents(ground.state)
        assert not list((ground.state / "ngrok").iterdir())
