"""Days of a studio in fast-forward: clips, versions, re-exports, wrong names, outages, restarts.

`pytest -m soak tests/crash/studio_life -s` plays five days with 2,000 clips; POSTFLOW_SEED replays
a script, POSTFLOW_SOAK_CLIPS and POSTFLOW_SOAK_DAYS set its size.
"""

from __future__ import annotations

import os
import random
import time
from typing import get_args

import pytest

from tests.crash.conftest import MakeGround
from tests.crash.ground import Ground
from tests.crash.studio_life import invariants, telling
from tests.crash.studio_life.author import Size, write_script
from tests.crash.studio_life.director import Director
from tests.crash.studio_life.script import Event, Script

SHORT_DAY = Size(days=1, hours=2, clips=14, pace=0.5, troubles=10)
FIVE_DAYS = Size(
    days=int(os.environ.get("POSTFLOW_SOAK_DAYS", "5")),
    clips=int(os.environ.get("POSTFLOW_SOAK_CLIPS", "2000")),
)
HASTE = 100.0
BATCH = 8
SEED = 20261122


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - how far it is, and what to replay


def test_a_seed_writes_the_same_script_again() -> None:
    assert write_script(7, SHORT_DAY) == write_script(7, SHORT_DAY)
    assert write_script(7, SHORT_DAY) != write_script(8, SHORT_DAY)


def test_a_short_day_has_everything_in_it() -> None:
    script = write_script(SEED, SHORT_DAY)
    kinds = {name for each in get_args(get_args(Event)[0]) for name in kinds_of(each)}
    assert {event.kind for event in script.events} >= kinds - {"removal"}


def kinds_of(event: type[Event]) -> tuple[str, ...]:
    return get_args(event.model_fields["kind"].annotation)


@pytest.mark.prefect
@pytest.mark.slow
async def test_a_short_day(make_ground: MakeGround) -> None:
    seed = int(os.environ.get("POSTFLOW_SEED", SEED))
    await live_through(make_ground, write_script(seed, SHORT_DAY))


@pytest.mark.prefect
@pytest.mark.soak
@pytest.mark.timeout(3 * 3600)
async def test_five_days(make_ground: MakeGround) -> None:
    seed = int(os.environ.get("POSTFLOW_SEED", random.randrange(10**6)))
    await live_through(make_ground, write_script(seed, FIVE_DAYS))


async def live_through(make_ground: MakeGround, script: Script) -> None:
    say(f"\nPOSTFLOW_SEED={script.seed}")
    began = time.monotonic()
    async with make_ground(watching={"batch": BATCH}, rate_scale=60) as ground:
        ground.haste = HASTE
        director = Director(ground, say)
        await director.play(script)
        besides = hold(ground, director)
        messages = len(ground.world.messages())
    say(
        f"{len(director.volume.revisions)} exports, {len(director.volume.standing)} clips at the "
        f"end; {dict(director.shift.counts)}; troubles {dict(director.troubles)}; failed for a "
        f"person {dict(director.failures)}; {messages} messages, {besides} of them twice by the "
        f"rule; {time.monotonic() - began:.0f} s"
    )


def hold(ground: Ground, director: Director) -> int:
    """Every invariant at the end. Returns how many messages were told twice, by the rule."""
    volume, silences = director.volume, director.silences
    assert director.shift.failed == []
    invariants.every_revision_that_stayed_is_there_once(ground, volume)
    invariants.what_was_replaced_or_deleted_is_there_at_most_once(ground, volume)
    invariants.nothing_else_is_there(ground, volume)
    invariants.every_shot_is_one_stack_in_version_order(ground)
    invariants.everything_is_over(ground, volume)
    telling.each_message_is_sent_or_known_to_be_in_doubt(ground, silences)
    telling.each_misnamed_file_is_told_once(ground, volume, silences)
    return telling.each_delivery_is_told_once(ground, silences)
