"""A run whose `serve` was killed ends in order, by itself: nobody else would stop it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from prefect import get_client
from prefect.client.schemas import sorting
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectNotFound

from blocks.studio import load_studio
from postflow.cli.backfill import enrol
from sandbox import Sandbox
from tests.cli.conftest import STUDIO, MakeClip, SaveStudio
from tests.support.wait import wait_until_sync

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

WATCHING = {"quiet": 0.2, "interval": 0.2}


@pytest.fixture
def serve(
    prefect_api: str, save_studio: SaveStudio, make_clip: MakeClip, private_state: Path
) -> Iterator[psutil.Popen]:
    """`postflow serve` of a studio whose watch folder has one clip."""
    folder = make_clip().parent
    save_studio(studio={"watching": WATCHING | {"folders": [str(folder)]}})
    enrol(asyncio.run(load_studio(STUDIO)), STUDIO, "all")
    command = [sys.executable, "-m", "postflow", "serve", "--studio", STUDIO]
    environment = os.environ | {"PREFECT_API_URL": prefect_api}
    with psutil.Popen(command, env=environment) as process:
        yield process
        process.kill()


def test_a_run_whose_runner_was_killed_withdraws_and_ends_as_cancelled(
    serve: psutil.Popen, world: Sandbox, private_state: Path
) -> None:
    world.fault("delay", where="fetch", times=1, seconds=60)
    wait_until_sync(lambda: asyncio.run(_call()), description="the runner")
    wait_until_sync(world.assets, timeout=120, description="the request")
    left = serve.children(recursive=True)
    assert len(left) > 1, "the run, and its ngrok agent"

    serve.kill()

    psutil.wait_procs(left, timeout=60)
    assert [each for each in left if each.is_running()] == []
    assert world.assets() == []
    assert list((private_state / "ngrok").iterdir()) == []
    assert asyncio.run(_states()) == {StateType.CANCELLED}


async def _call() -> bool:
    """Have `ingest` run, as soon as somebody serves it."""
    async with get_client() as client:
        try:
            deployment = await client.read_deployment_by_name(f"ingest/{STUDIO}")
        except ObjectNotFound:
            return False
        await client.create_flow_run_from_deployment(deployment.id)
    return True


async def _states() -> set[StateType | None]:
    """Of all runs that were due: of `ingest` and, below it, of `deliver`."""
    newest = sorting.FlowRunSort.START_TIME_DESC
    async with get_client() as client:
        runs = await client.read_flow_runs(sort=newest)
    return {run.state_type for run in runs} - {StateType.SCHEDULED}
