"""Runs the deployments of a studio from one process: by event, by the clock, by hand."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.events import DeploymentEventTrigger
from prefect.types.entrypoint import EntrypointType

from postflow.blocks.studio import load_studio
from postflow.engine.crashed_runs import keep_burying
from postflow.flows.deliver import deliver
from postflow.flows.ingest import ingest
from postflow.flows.watch import READY

from .runner import StoppableRunner

ONE_AT_A_TIME = ConcurrencyLimitConfig(
    limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW
)


async def serve(studio: str = "main", *, every: float = 300.0) -> None:
    """Until cancelled. `every` is the interval of the scheduled ingest, in seconds."""
    called = DeploymentEventTrigger(
        expect={READY}, match={"prefect.resource.id": f"postflow.studio.{studio}"}
    )
    ingesting = await ingest.ato_deployment(
        name=studio,
        description="Delivers all clips that are ready in the studio's watch folders.",
        tags=["postflow"],
        parameters={"studio": studio},
        interval=timedelta(seconds=every),
        triggers=[called],
        concurrency_limit=ONE_AT_A_TIME,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    delivering = await deliver.ato_deployment(
        name=studio,
        description="Delivers one clip by hand: give it the path of a finished file.",
        tags=["postflow", "clip"],
        parameters={"studio": studio},
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    runner = StoppableRunner()
    for deployment in (ingesting, delivering):
        await runner.aadd_deployment(deployment)
    burying = asyncio.create_task(keep_burying(studio, (await load_studio(studio)).ledger))
    try:
        await runner.run_until_cancelled()
    finally:
        burying.cancel()
