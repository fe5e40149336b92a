"""Runs of `serve` that are told to stop by nobody but a signal, or by the end of their runner."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from prefect import get_client
from prefect.client.schemas import filters
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound

from postflow.blocks.studio import load_studio
from postflow.cli.watch import enrol_folders
from postflow.sandbox import Sandbox
from tests.cli.conftest import STUDIO, MakeClip, SaveStudio
from tests.journeys.proof import armed
from tests.journeys.reluctant_server import reluctant
from tests.support.wait import wait_until_sync

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

WATCHING = {"quiet": 0.2, "interval": 0.2}
A_DAY = "86400"


@pytest.fixture
def with_a_clip(save_studio: SaveStudio, make_clip: MakeClip, private_state: Path) -> None:
    """A studio whose watch folder has one clip."""
    folder = make_clip().parent
    save_studio(studio={"watching": WATCHING | {"folders": [str(folder)]}})
    enrol_folders(asyncio.run(load_studio(STUDIO)), STUDIO, "all")


@pytest.fixture
def serve(
    request: pytest.FixtureRequest, prefect_api: str, with_a_clip: None
) -> Iterator[psutil.Popen]:
    with serving(prefect_api, every=getattr(request, "param", A_DAY)) as process:
        yield process


@contextmanager
def serving(api: str, *, every: str) -> Iterator[psutil.Popen]:
    """`postflow serve` of that studio."""
    command = [sys.executable, "-m", "postflow", "serve", "--studio", STUDIO, "--every", every]
    with psutil.Popen(command, env=os.environ | {"PREFECT_API_URL": api}) as process:
        yield process
        if process.is_running():
            process.kill()


class Begun:
    """A run of `flow` that has asked Frame.io, and waits: its processes and what became of it."""

    def __init__(self, flow: str, serve: psutil.Popen, world: Sandbox, **parameters: str) -> None:
        world.fault("delay", where="fetch", times=None, seconds=600)
        wait_until_sync(lambda: asyncio.run(_is_served(flow)), description="the runner")
        self._world = world
        self._id = asyncio.run(_call(flow, parameters))
        wait_until_sync(world.assets, timeout=120, description="the request")
        (self.engine,) = serve.children()
        self._all = serve.children(recursive=True)
        assert len(self._all) > 1, "its ngrok agent"

    def check_ended(self, state: Path) -> None:
        psutil.wait_procs(self._all, timeout=60)
        assert [each for each in self._all if each.is_running()] == []
        assert self._world.assets() == []
        assert list((state / "ngrok").iterdir()) == []
        assert asyncio.run(_states(self._id)) == {StateType.CANCELLED}


def test_a_run_that_is_told_to_stop_or_whose_runner_was_killed_withdraws_and_ends_as_cancelled(
    serve: psutil.Popen, world: Sandbox, private_state: Path, make_clip: MakeClip
) -> None:
    """The one by hand is told twice, which does not disturb it."""
    run = Begun("deliver", serve, world, path=str(make_clip()))
    world.fault("delay", where="files.delete", times=1, seconds=600)
    run.engine.terminate()
    wait_until_sync(lambda: "files.delete" not in str(armed(world)), description="the withdrawal")
    run.engine.terminate()
    world.release()
    run.check_ended(private_state)

    make_clip("SQ07_UNDLM_00153_v001.mov")
    run = Begun("ingest", serve, world)
    serve.kill()
    run.check_ended(private_state)


@pytest.mark.parametrize("serve", ["1"], indirect=True)
def test_a_runner_that_is_stopped_has_no_more_runs_begin(
    serve: psutil.Popen, world: Sandbox
) -> None:
    """Prefect would call them crashed."""
    world.fault("delay", where="fetch", times=1, seconds=600)
    wait_until_sync(world.assets, timeout=120, description="the request")
    world.fault("delay", where="files.delete", times=1, seconds=8)
    serve.terminate()
    serve.wait(timeout=120)
    assert world.assets() == []
    states = asyncio.run(_ended("ingest"))
    assert StateType.CANCELLED in states
    assert StateType.CRASHED not in states


@pytest.mark.usefixtures("with_a_clip")
def test_a_server_that_fails_for_a_while_ends_no_runner_nor_what_travels(prefect_api: str) -> None:
    """As while its database is away. Prefect's own runner gives up at the third answer."""
    with (
        reluctant(prefect_api, "/api/deployments/get_scheduled_flow_runs") as server,
        serving(server.api, every=A_DAY) as runner,
    ):
        wait_until_sync(
            lambda: server.refusals > 3 or runner.poll(), timeout=120, description="four questions"
        )
        assert runner.poll() is None


async def _ended(flow: str) -> list[StateType | None]:
    """The states of a flow's newest runs."""
    async with get_client() as client:
        runs = await client.read_flow_runs(
            flow_filter=filters.FlowFilter(name=filters.FlowFilterName(any_=[flow])),
            sort=FlowRunSort.START_TIME_DESC,
            limit=20,
        )
    return [run.state_type for run in runs]


async def _is_served(flow: str) -> bool:
    async with get_client() as client:
        try:
            return not (await client.read_deployment_by_name(f"{flow}/{flow}-{STUDIO}")).paused
        except ObjectNotFound:
            return False


async def _call(flow: str, parameters: dict[str, str]) -> UUID:
    async with get_client() as client:
        deployment = await client.read_deployment_by_name(f"{flow}/{flow}-{STUDIO}")
        run = await client.create_flow_run_from_deployment(deployment.id, parameters=parameters)
    return run.id


async def _states(run_id: UUID) -> set[StateType | None]:
    """Of the run and those below it."""
    parent = filters.FlowRunFilterParentFlowRunId(any_=[run_id])
    below = filters.FlowRunFilter(parent_flow_run_id=parent)
    async with get_client() as client:
        runs = [await client.read_flow_run(run_id)]
        runs += await client.read_flow_runs(flow_run_filter=below)
    return {run.state_type for run in runs}
