"""kill -9 of a running `ingest` before and after everything it makes durable; then another run.

Nothing is lost, nothing is there twice, nothing is called delivered that is not. The matrix with
one world for each death is in test_soak.py.
"""

from __future__ import annotations

import os
from typing import get_args

import pytest

from tests.crash.agents import agents
from tests.crash.conftest import MakeGround
from tests.crash.ground import Ground
from tests.crash.killing import Death, Moment
from tests.crash.record import (
    check_delivered_once,
    check_one_link,
    check_one_stack,
    sent,
)
from tests.crash.test_leftover import arrive_unheard
from tests.crash.three_clips import LINK_TRANSITIONS, TRANSITIONS, VERSIONS, ThreeClips

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

NAME = "SQ07_UNDLM_00152_v001.mov"


async def test_all_transitions_are_known(make_ground: MakeGround) -> None:
    """So that a new one cannot be left out of the tests below. A message that is being sent may be
    rewritten, if its link comes just then.
    """
    async with make_ground(share="sequence") as ground:
        clips = ThreeClips(ground)
        assert clips.finish() == 0
        known = {*TRANSITIONS, *LINK_TRANSITIONS, "message rewritten"}
        assert set(ground.transitions(1)) | {"message rewritten"} == known
        check_one_link(ground)


@pytest.mark.parametrize("moment", get_args(Moment))
async def test_a_link_is_made_once_whenever_its_run_dies(
    make_ground: MakeGround, moment: Moment
) -> None:
    async with make_ground(share="sequence") as ground:
        ground.drop(NAME)
        for transition in LINK_TRANSITIONS:
            assert not ground.live(Death(at=transition, moment=moment)), transition
        assert ground.live()
        check_one_link(ground)
        assert sent(ground.world, "shares.create") == 1


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


async def test_what_arrived_unheard_is_found_though_the_file_servers_clock_is_ahead(
    ground: Ground,
) -> None:
    """The run died before it heard that Frame.io has the file, which seems older than the clip."""
    clip = ground.drop(NAME)
    ahead = clip.stat().st_mtime + 3600
    os.utime(clip, (ahead, ahead))
    arrive_unheard(ground)
    assert ground.live()
    check_delivered_once(ground, {NAME: clip})
    assert ground.world.assets()[0]["created"] == 1


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


@pytest.mark.parametrize("moment", get_args(Moment))
async def test_a_stack_that_was_left_for_later_is_made_once_whenever_its_run_dies(
    make_ground: MakeGround, moment: Moment
) -> None:
    """Another program has used up Frame.io's rate when the clips come."""
    names = [*VERSIONS, "SQ07_UNDLM_00152_v003.mov"]
    steps = ("clip claimed", "clip stacking", "stack held", "clip stacked", "clip done")
    async with make_ground(watching={"at_once": 1}, rate_limits=False) as ground:
        dropped = {name: ground.drop(name, atoms=n) for n, name in enumerate(names)}
        ground.world.fault("status", "version_stacks.create", code=429)
        assert ground.live()
        assert ground.transitions(1).count("clip stack follows") == 2
        for step in steps:
            assert not ground.live(Death(at=step, moment=moment)), step
        assert ground.live()
        check_delivered_once(ground, dropped)
        check_one_stack(ground, names)
