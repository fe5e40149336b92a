"""What Prefect's server, and so its UI, shows of a clip's run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from prefect import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import Artifact, FlowRun, TaskRun

T = TypeVar("T")


async def run_for(clip: Path, studio: str) -> FlowRun:
    """Deliver a clip; its run as the server has it, whatever came of it."""
    from postflow.flows.deliver import deliver

    state = await deliver(clip, studio=studio, return_state=True)
    assert state.state_details.flow_run_id
    async with get_client() as client:
        return await client.read_flow_run(state.state_details.flow_run_id)


async def stages_of(run: FlowRun, many: int) -> list[TaskRun]:
    """The stages of a run that is over, once the server knows so many, and how each ended."""
    only = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))

    async def ask() -> list[TaskRun]:
        async with get_client() as client:
            return await client.read_task_runs(flow_run_filter=only)

    return await once(lambda found: sum(map(_is_over, found)) >= many, ask)


def _is_over(stage: TaskRun) -> bool:
    return stage.state is not None and stage.state.is_final()


async def log_of(run: FlowRun) -> str:
    async with get_client() as client:
        only = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id]))
        return "\n".join(log.message for log in await client.read_logs(only))


async def artifacts_of(run: FlowRun) -> dict[str, Artifact]:
    """By type."""
    async with get_client() as client:
        only = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
        found = await client.read_artifacts(artifact_filter=only)
    return {str(artifact.type): artifact for artifact in found}


async def once(
    enough: Callable[[T], object], ask: Callable[[], Awaitable[T]], *, timeout: float = 120.0
) -> T:
    """The server's recorders lag behind: ask until it is `enough`; the last answer at least."""
    deadline = asyncio.get_running_loop().time() + timeout
    while not enough(found := await ask()):
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(0.1)
    return found
