"""Runs whose process died with nobody to say so: they would hold the only slot of `ingest`."""

from __future__ import annotations

import logging
from uuid import UUID

from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas import filters, sorting
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.runtime import flow_run
from prefect.states import Crashed
from prefect.types import KeyValueLabels

from postflow.ledger.process import ProcessMark, is_dead_here, this_process

log = logging.getLogger("postflow.ingest")

SIGNATURE = "postflow.process"
MOST = 200
NEWEST = sorting.FlowRunSort.START_TIME_DESC
UNFINISHED = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]


async def sign_run() -> None:
    """Note with this run, as a label, which process it is."""
    signature: KeyValueLabels = {SIGNATURE: this_process().model_dump_json()}
    async with get_client() as client:
        await client.update_flow_run_labels(UUID(str(flow_run.id)), signature)


async def bury_dead_runs() -> None:
    """Mark the unfinished `ingest` runs of this machine whose process is gone as crashed.

    A run that died before it was signed frees its slot when Prefect's lease on it ends, 5 minutes
    later.
    """
    name = filters.FlowFilterName(any_=["ingest"])
    unfinished = filters.FlowRunFilter(state=_unfinished())
    async with get_client() as client:
        runs = await client.read_flow_runs(
            flow_filter=filters.FlowFilter(name=name),
            flow_run_filter=unfinished,
            sort=NEWEST,
            limit=MOST,
        )
        for run in runs:
            if _is_dead_here(run):
                for each in [run, *await _children(client, run)]:
                    await _bury(client, each)


async def _children(client: PrefectClient, run: FlowRun) -> list[FlowRun]:
    parent = filters.FlowRunFilterParentFlowRunId(any_=[run.id])
    mine = filters.FlowRunFilter(parent_flow_run_id=parent, state=_unfinished())
    return await client.read_flow_runs(flow_run_filter=mine, sort=NEWEST, limit=MOST)


def _unfinished() -> filters.FlowRunFilterState:
    return filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=UNFINISHED))


def _is_dead_here(run: FlowRun) -> bool:
    signature = run.labels.get(SIGNATURE)
    return isinstance(signature, str) and is_dead_here(ProcessMark.model_validate_json(signature))


async def _bury(client: PrefectClient, run: FlowRun) -> None:
    log.warning("The run %r had died; what it had begun is finished by the next one.", run.name)
    message = "Its process died; what it had begun is finished by the next run."
    state: State[None] = Crashed(message=message)
    await client.set_flow_run_state(run.id, state, force=True)
