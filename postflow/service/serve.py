"""Runs the deployments of a studio from one process: by event, by the clock, by hand."""

from __future__ import annotations

import asyncio
import contextlib
import os
from datetime import timedelta
from uuid import UUID

import psutil
from prefect import get_client
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.events import DeploymentEventTrigger
from prefect.runner import Runner
from prefect.types.entrypoint import EntrypointType

from postflow.blocks.host import own_name
from postflow.blocks.studio import Studio
from postflow.engine.artifacts import name_runs_to_come
from postflow.engine.crashed_runs import watch_for_crashed_runs
from postflow.engine.parent import GROUP
from postflow.engine.runs import best_effort
from postflow.flows.calling import READY, calls_for
from postflow.flows.deliver import deliver
from postflow.flows.ingest import ingest
from postflow.ledger.opening import is_shared
from postflow.state import leave_working_directory, this_host
from postflow.stop import in_background

ONE_AT_A_TIME = ConcurrencyLimitConfig(
    limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW
)
# Seconds between two looks for runs that are due; Prefect's own 10 are a long wait.
POLL = 2.0
SHORT = 0.05
ENGINE = "prefect.engine"


async def serve(block: Studio, *, every: float = 300.0) -> None:
    """Until cancelled. `every` is the interval of the scheduled ingest, in seconds."""
    leave_working_directory()
    os.environ.setdefault(GROUP, "none")  # our runs end when we do
    # Nothing is fetched before it is due: until then a run of `ingest` stays in its place.
    runner = Runner(query_seconds=POLL, prefetch_seconds=0)
    studio, ledger = block.document_name, block.ledger
    own = own_name(studio) if is_shared(ledger) else None
    called = DeploymentEventTrigger(
        name=f"PostFlow: clips of {own or studio} are ready",
        description="Runs ingest when the watcher finds clips that are ready.",
        expect={READY},
        match={"prefect.resource.id": f"postflow.studio.{studio}"},
        match_related=calls_for(this_host()) if own else {},
    )
    ingesting = await ingest.ato_deployment(
        name=own or deployment_name("ingest", studio),
        description="Delivers all clips that are ready in the studio's watch folders.",
        tags=["postflow"],
        parameters={"studio": studio, "stay": True},
        interval=timedelta(seconds=every),
        triggers=[called],
        concurrency_limit=ONE_AT_A_TIME,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    delivering = await deliver.ato_deployment(
        name=own or deployment_name("deliver", studio),
        description="Delivers one clip by hand: give it the path of a finished file.",
        tags=["postflow", "clip"],
        parameters={"studio": studio},
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    await runner.aadd_deployment(delivering)
    deployment = await runner.aadd_deployment(ingesting)
    async with (
        in_background(watch_for_crashed_runs(studio, ledger), "crashed runs"),
        in_background(name_runs_to_come(deployment, f"ingest {studio}"), "names of runs"),
    ):
        await run_until_cancelled(runner, deployment)


def deployment_name(flow: str, studio: str) -> str:
    """For the studio `main` as in prefect.yaml, so that both ways are one deployment. Where hosts
    share a ledger, each has deployments of its own, as in prefect.hosts.yaml.
    """
    return flow if studio == "main" else f"{flow}-{studio}"


async def run_until_cancelled(runner: Runner, scheduled: UUID | None = None) -> None:
    """Cancelled itself, it stops its runs and waits for them: each cleans up and says its end.

    Before that the scheduled deployment is paused, or it would have more runs begin meanwhile.
    """
    serving = asyncio.create_task(runner.start())
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        # One that is only starting cannot be stopped yet.
        while not (runner.started or serving.done()):  # noqa: ASYNC110 - Prefect tells nobody
            await asyncio.sleep(SHORT)
        if runner.started:
            if scheduled:
                await _pause(scheduled)
            await _end_runs()
            await runner.astop()
        await asyncio.gather(serving, return_exceptions=True)
        raise


async def _pause(deployment: UUID) -> None:
    async with best_effort("that its runner ends"), get_client() as client:
        await client.pause_deployment(deployment)


async def _end_runs() -> None:
    """Before Prefect cancels them, which waits for its server."""
    told: set[psutil.Process] = set()
    while left := {each for each in psutil.Process().children() if _is_run(each)}:
        for run in left - told:
            with contextlib.suppress(psutil.NoSuchProcess):
                run.terminate()
        told |= left
        await asyncio.sleep(SHORT)


def _is_run(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return ENGINE in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
    return False
