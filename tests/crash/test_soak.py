"""The whole crash matrix, one world for each death: `pytest -m soak tests/crash`."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from typing import get_args

import pytest

from tests.crash.conftest import MakeGround
from tests.crash.killing import Death, Moment
from tests.crash.three_clips import ThreeClips

pytestmark = [pytest.mark.prefect, pytest.mark.soak, pytest.mark.timeout(3600)]

RANDOM_KILLS = int(os.environ.get("POSTFLOW_SOAK_KILLS", "100"))


@pytest.mark.parametrize("transfer", ["tunnel", "direct"])
async def test_killed_at_every_transition_of_every_clip(
    make_ground: MakeGround, transfer: str
) -> None:
    async with make_ground(transfer=transfer, part_bytes=40_000) as ground:
        ThreeClips(ground).finish()
        reference = Counter(ground.transitions(1))
    deaths = [
        Death(at=at, nth=nth, moment=moment)
        for at, times in reference.items()
        for nth in range(1, times + 1)
        for moment in get_args(Moment)
    ]
    told_twice, survived = 0, 0
    for number, death in enumerate(deaths, start=1):
        print(f"{number} of {len(deaths)}: {death}", flush=True)  # noqa: T201 - how far it is
        async with make_ground(transfer=transfer, part_bytes=40_000) as ground:
            clips = ThreeClips(ground)
            # how often a run renews its lease depends on how fast it is
            survived += ground.live(death)
            clips.look_at_the_dead()
            told_twice += clips.finish()
    print(f"{len(deaths)} deaths, {survived} not met, {told_twice} told twice by the rule")  # noqa: T201 - the outcome
    assert survived < len(deaths) / 10


async def test_killed_at_any_instant(make_ground: MakeGround) -> None:
    seed = int(os.environ.get("POSTFLOW_SEED", random.randrange(10**6)))
    print(f"POSTFLOW_SEED={seed}")  # noqa: T201 - to replay it
    luck = random.Random(seed)
    async with make_ground() as ground:
        clips = ThreeClips(ground)
        began = time.monotonic()
        clips.finish()
        whole = time.monotonic() - began
    killed, told_twice = 0, 0
    for number in range(1, RANDOM_KILLS + 1):
        print(f"{number} of {RANDOM_KILLS}, {killed} killed", flush=True)  # noqa: T201 - how far it is
        async with make_ground() as ground:
            clips = ThreeClips(ground)
            life = ground.start()
            time.sleep(luck.uniform(0.0, whole))  # noqa: ASYNC251 - the instant of death
            life.kill()
            killed += not life.ends()
            clips.look_at_the_dead()
            told_twice += clips.finish()
    print(f"{killed} of {RANDOM_KILLS} killed in time, {told_twice} told twice by the rule")  # noqa: T201 - the outcome
    assert killed > RANDOM_KILLS / 2
