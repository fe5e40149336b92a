"""A run that is cancelled cleans up, whatever it was doing, and a later one delivers once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from postflow.sandbox import Sandbox
from tests.journeys.conftest import MakeClip
from tests.journeys.faults import Fault, fault
from tests.journeys.proof import READY, armed, calls, endings, namesakes, the_asset
from tests.support.wait import wait_until

pytestmark = pytest.mark.prefect

LIMIT = 120.0


async def cancel(held: Fault, seen: str, world: Sandbox, clip: Path, studio: str) -> None:
    """Start a delivery that `held` holds up, cancel it after `seen`, and see it end; what held it
    goes on then.
    """
    from postflow.flows.deliver import deliver

    held.arm(world)
    run = asyncio.create_task(deliver(clip, studio=studio))
    await wait_until(
        lambda: (calls(world, seen) and not armed(world)) or run.done(), description=str(held)
    )
    assert not run.done()
    run.cancel()
    await asyncio.sleep(0)  # it is cancelled before the answer comes
    world.release()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(LIMIT):
            await run


async def delivers_now(world: Sandbox, clip: Path, studio: str) -> None:
    from postflow.flows.deliver import deliver

    await deliver(clip, studio=studio)
    the_asset(world, clip)
    assert endings(world)[-1] == READY


@pytest.mark.parametrize(
    ("held", "seen"),
    [
        (fault("delay", "folders.list", seconds=600), "accounts.list"),
        (fault("late_answer", "files.remote_upload", seconds=600), "folders.create"),
    ],
    ids=str,
)
async def test_a_run_that_is_cancelled_while_frameio_answers_leaves_nothing(
    held: Fault, seen: str, loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    clip = make_clip()
    await cancel(held, seen, world, clip, loopback_studio)
    await wait_until(lambda: calls(world, held.where), description="Frame.io to have done it")
    assert namesakes(world, clip) == []
    await delivers_now(world, clip, loopback_studio)


@pytest.mark.parametrize(
    ("held", "seen"),
    [
        (fault("agent_slow", "agent", seconds=30), "folders.create"),
        (fault("rate", "edge", bytes_per_second=50_000), "files.status"),
    ],
    ids=str,
)
async def test_a_run_that_is_cancelled_in_its_tunnel_leaves_nothing(
    held: Fault, seen: str, studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    clip = make_clip(extra=100_000)
    await cancel(held, seen, world, clip, studio)
    assert namesakes(world, clip) == []
    await delivers_now(world, clip, studio)


async def test_a_run_that_is_cancelled_after_arrival_has_delivered(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    clip = make_clip()
    held = fault("delay", "discord.patch", seconds=600)
    await cancel(held, "files.show", world, clip, loopback_studio)
    asset = the_asset(world, clip)
    await delivers_now(world, clip, loopback_studio)
    assert the_asset(world, clip)["id"] == asset["id"]
    assert endings(world) == [READY]
