"""Runs whose process died with nobody to say so: they would hold the only slot of `ingest`.

A run is known to be dead by its process, on this machine, or by its lease in the ledger, on any.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NoReturn
from uuid import UUID

import httpx
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas import filters, sorting
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run
from prefect.states import Crashed
from prefect.types import KeyValueLabels
from pydantic import SecretStr

from postflow.errors import PostFlowError
from postflow.ledger import open_ledger
from postflow.ledger.process import ProcessMark, is_dead_here, is_here, this_process

log = logging.getLogger("postflow.ingest")

SIGNATURE = "postflow.process"
LEASE = "postflow.run"
MOST = 200
NEWEST = sorting.FlowRunSort.START_TIME_DESC
UNFINISHED = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
INGEST = filters.FlowFilterName(any_=["ingest"])
PAUSE = 20.0
# A run signs when it begins.
UNSIGNED = timedelta(seconds=60)


async def sign_run(run_id: str | None = None) -> None:
    """Note with this run, as labels, which process it is, and whose lease in the ledger it has."""
    signature: KeyValueLabels = {SIGNATURE: this_process().model_dump_json()}
    if run_id:
        signature[LEASE] = run_id
    async with get_client() as client:
        await client.update_flow_run_labels(UUID(str(flow_run.id)), signature)


async def keep_burying(studio: str, ledger: SecretStr | None, *, pause: float = PAUSE) -> NoReturn:
    """Until cancelled: free what the dead among a studio's runs hold."""
    burial = Burial(studio, ledger)
    while True:
        try:
            await burial.round()
        except (httpx.HTTPError, PrefectException) as error:
            log.warning("Prefect's server does not answer: %s", error)
        except Exception:
            log.exception("A fault of our own, at the runs that died:")
        await asyncio.sleep(pause)


class Burial:
    """One look after the other. What only a lease or a number says has to be so twice, since a run
    that ends in order gives its lease back a moment before it is over.
    """

    def __init__(self, studio: str, ledger: SecretStr | None) -> None:
        self._studio = studio
        self._where = ledger
        self._suspects: set[UUID] = set()

    async def round(self) -> None:
        """Mark dead runs as crashed, and give back slots that nobody holds."""
        living = await self._living()
        async with get_client() as client:
            runs = await _unfinished(client, self._studio)
            seem = {run.id for run in runs if _seems_dead(run, living)}
            dead = [run for run in runs if _is_dead_here(run) or run.id in seem & self._suspects]
            for run in dead:
                await _bury(client, run)
            left = Counter(run.deployment_id for run in runs if run not in dead)
            lost = {each.id: each for each in await _overfull(client, self._studio, left)}
            for deployment in (lost[each] for each in lost.keys() & self._suspects):
                await _free(client, deployment, left[deployment.id])
            self._suspects = seem | lost.keys()

    async def _living(self) -> set[str] | None:
        """The leases that last; None while the ledger cannot tell."""
        try:
            async with open_ledger(self._where) as ledger:
                return await ledger.living()
        except PostFlowError as error:
            log.warning("%s", error)
            return None


def _is_dead_here(run: FlowRun) -> bool:
    signature = run.labels.get(SIGNATURE)
    return isinstance(signature, str) and is_dead_here(ProcessMark.model_validate_json(signature))


def _seems_dead(run: FlowRun, living: set[str] | None) -> bool:
    """Of another machine, and without its lease; or it should have signed long ago."""
    signature, lease = run.labels.get(SIGNATURE), run.labels.get(LEASE)
    if not isinstance(signature, str):
        began = run.state.timestamp if run.state and run.state.is_running() else None
        return began is not None and datetime.now(tz=UTC) - began > UNSIGNED
    is_away = not is_here(ProcessMark.model_validate_json(signature))
    return is_away and lease is not None and living is not None and lease not in living


async def _unfinished(client: PrefectClient, studio: str) -> list[FlowRun]:
    runs = await client.read_flow_runs(
        flow_filter=filters.FlowFilter(name=INGEST),
        flow_run_filter=filters.FlowRunFilter(state=_unfinished_state()),
        sort=NEWEST,
        limit=MOST,
    )
    return [run for run in runs if run.parameters.get("studio", studio) == studio]


def _unfinished_state() -> filters.FlowRunFilterState:
    return filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=UNFINISHED))


async def _bury(client: PrefectClient, run: FlowRun) -> None:
    log.warning("The run %r had died; what it had begun is finished by the next one.", run.name)
    message = "Its process died; what it had begun is finished by the next run."
    state: State[None] = Crashed(message=message)
    parent = filters.FlowRunFilterParentFlowRunId(any_=[run.id])
    mine = filters.FlowRunFilter(parent_flow_run_id=parent, state=_unfinished_state())
    children = await client.read_flow_runs(flow_run_filter=mine, sort=NEWEST, limit=MOST)
    for each in [run, *children]:
        await client.set_flow_run_state(each.id, state, force=True)


async def _overfull(
    client: PrefectClient, studio: str, runs: Mapping[UUID | None, int]
) -> list[DeploymentResponse]:
    """Deployments with more slots taken than there are `runs`: Prefect gives one back by the lease
    on it, which a full disk can cost.
    """
    found = await client.read_deployments(
        flow_filter=filters.FlowFilter(name=INGEST),
        sort=sorting.DeploymentSort.NAME_ASC,
        limit=MOST,
    )
    mine = [each for each in found if each.parameters.get("studio") == studio]
    return [each for each in mine if _taken(each) > runs.get(each.id, 0)]


def _taken(deployment: DeploymentResponse) -> int:
    limit = deployment.global_concurrency_limit
    return limit.active_slots if limit else 0


async def _free(client: PrefectClient, deployment: DeploymentResponse, held: int) -> None:
    limit = deployment.global_concurrency_limit
    assert limit is not None
    log.warning("The deployment %r had a slot that no run held; it is free now.", deployment.name)
    update = GlobalConcurrencyLimitUpdate(active_slots=held)
    await client.update_global_concurrency_limit(limit.name, update)
