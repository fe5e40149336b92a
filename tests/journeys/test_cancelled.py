"""A run that is cancelled cleans up, whatever it was doing, and a later one delivers once."""

from __future__ import annotations

import asyncio

import pytest

from sandbox import Sandbox
from tests.journeys.conftest import MakeClip
from tests.journeys.faults import Fault, fault
from tests.journeys.proof import READY, armed, calls, endings, namesakes, the_asset
from tests.support.wait import wait_until

pytestmark = pytest.mark.prefect

LIMIT = 30.0

STAGES = [
    (fault("delay", "folders.list", seconds=1), "accounts.list"),
    (fault("agent_slow", "agent", seconds=30), "folders.children"),
    (fault("late_answer", "files.remote_upload", seconds=1), "folders.children"),
    (fault("rate", "edge", bytes_per_second=50_000), "files.status"),
]


async def cancelled_at(held: Fault, seen: str, world: Sandbox, clip, studio: str) -> None:
    """Start a delivery that `held` holds up, cancel it there, and see it end."""
    from flows.deliver import deliver

    held.arm(world)
    run = asyncio.create_task(deliver(clip, studio=studio))
    await wait_until(
        lambda: (calls(world, seen) and not armed(world)) or run.done(), description=f"{held}"
    )
    assert not run.done()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(LIMIT):
            await run


@pytest.mark.parametrize(("held", "seen"), STAGES, ids=str)
async def test_a_cancelled_run_leaves_nothing_and_a_later_one_delivers_once(
    held: Fault, seen: str, studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from flows.deliver import deliver

    clip = make_clip(extra=100_000)
    await cancelled_at(held, seen, world, clip, studio)
    if held.what in {"delay", "late_answer"}:
        await wait_until(lambda: calls(world, held.where), description="the world to go on")
    assert namesakes(world, clip) == []

    await deliver(clip, studio=studio)
    the_asset(world, clip)
    assert endings(world)[-1] == READY


async def test_a_run_that_is_cancelled_after_arrival_has_delivered(
    studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from flows.deliver import deliver

    clip = make_clip()
    await cancelled_at(
        fault("delay", "discord.patch", seconds=2), "files.show", world, clip, studio
    )
    asset = the_asset(world, clip)

    delivery = await deliver(clip, studio=studio)
    assert the_asset(world, clip)["id"] == asset["id"] == delivery.file_id
    assert endings(world) == [READY]
