"""Flow runs and deployments, as Prefect's server has them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas import filters, sorting
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run
from prefect.types import KeyValueLabels

from postflow.ledger import roots
from postflow.ledger.errors import retry_while_busy
from postflow.ledger.process import this_process

if TYPE_CHECKING:
    from .studio import OpenStudio

log = logging.getLogger("postflow.engine")

SERVER_FAILS = (httpx.HTTPError, PrefectException)
"""What Prefect's client raises where the server is away, or refuses."""

SIGNATURE = "postflow.process"
LEASE = "postflow.run"
LEDGER = "postflow.ledger"
STUDIO = "postflow.studio"
TAG = "postflow"
MOST = 200
NEWEST = sorting.FlowRunSort.START_TIME_DESC
UNFINISHED = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
INGEST = filters.FlowFilterName(any_=["ingest"])
DELIVER = filters.FlowFilterName(any_=["deliver"])
# Seconds.
LONGEST = 5.0


@asynccontextmanager
async def best_effort(what: str, *, level: int = logging.WARNING) -> AsyncIterator[None]:
    """Tell the server; for some seconds only, and go on when it is away or busy."""
    try:
        async with asyncio.timeout(LONGEST):
            yield
    except (TimeoutError, *SERVER_FAILS) as error:
        log.log(level, "Prefect's server did not take %s (%s).", what, type(error).__name__)


async def tag_run(studio: OpenStudio | None = None) -> None:
    """Note with this run, as labels, which process it is, and which lease in which ledger of which
    studio.
    """
    signature: KeyValueLabels = {SIGNATURE: this_process().model_dump_json()}
    if studio:
        signature |= {LEASE: studio.run_id, STUDIO: studio.name}
        signature[LEDGER] = await retry_while_busy(
            lambda: studio.ledger.run(roots.ledger_id), "Which ledger this is cannot be read"
        )
    async with get_client() as client:
        await client.update_flow_run_labels(UUID(str(flow_run.id)), signature)


def is_of(studio: str, run: FlowRun | DeploymentResponse) -> bool:
    """What has not opened its studio, as no deployment has, and names none, may be any studio's;
    but another program's flow may be called `ingest`, too.
    """
    if named := run.labels.get(STUDIO) or run.parameters.get("studio"):
        return bool(named == studio)
    return TAG in run.tags or SIGNATURE in run.labels


async def find_runs(
    client: PrefectClient,
    states: Sequence[StateType] = (),
    *,
    flow: filters.FlowFilterName | None = None,
    deployment: UUID | None = None,
    sort: sorting.FlowRunSort = NEWEST,
    limit: int = MOST,
    **more: Any,
) -> list[FlowRun]:
    """Runs in one of these states, or in any, of a flow or a deployment; `more` are filters."""
    if deployment:
        more["deployment_id"] = filters.FlowRunFilterDeploymentId(any_=[deployment])
    if states:
        of_type = filters.FlowRunFilterStateType(any_=[*states])
        more["state"] = filters.FlowRunFilterState(type=of_type)
    return await client.read_flow_runs(
        flow_filter=filters.FlowFilter(name=flow) if flow else None,
        flow_run_filter=filters.FlowRunFilter(**more),
        sort=sort,
        limit=limit,
    )


async def children_of(
    client: PrefectClient, run: UUID, states: Sequence[StateType]
) -> list[FlowRun]:
    """A run's subflows that are in one of these states."""
    parent = filters.FlowRunFilterParentFlowRunId(any_=[run])
    return await find_runs(client, states, parent_flow_run_id=parent)


async def is_to_be_cancelled(*, level: int = logging.WARNING) -> bool:
    """Has a person said so of this run, or is its process stopped for another reason?"""
    asking = best_effort("whether a run is to be cancelled", level=level)
    async with asking, get_client() as client:
        run = await client.read_flow_run(UUID(str(flow_run.id)))
        return run.state_type is StateType.CANCELLING
    return False


async def end_children(state: State[None]) -> None:
    """End the subflows of this run, that is stopped: what only starts does not do so itself."""
    stopped = UUID(str(flow_run.id))
    async with best_effort("the end of clips' runs"), get_client() as client:
        for each in await children_of(client, stopped, [*UNFINISHED, StateType.CRASHED]):
            await client.set_flow_run_state(each.id, state, force=True)


async def deployments_of(client: PrefectClient, studio: str) -> list[DeploymentResponse]:
    """All that run the studio's `ingest`."""
    found = await client.read_deployments(
        flow_filter=filters.FlowFilter(name=INGEST),
        sort=sorting.DeploymentSort.NAME_ASC,
        limit=MOST,
    )
    return [each for each in found if is_of(studio, each)]
