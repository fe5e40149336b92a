"""Runs whose process died with nobody to say so: they would be shown as running for ever, and hold
the only slot of `ingest`.

A run is known to be dead by its process, on this machine, or by its lease in the ledger, on any.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping
from typing import NoReturn
from uuid import UUID

from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.responses import DeploymentResponse
from prefect.states import Crashed
from pydantic import SecretStr

from postflow.errors import PostFlowError
from postflow.ledger import leases, open_ledger
from postflow.ledger.process import ProcessMark, is_dead_here, is_here

from .runs import (
    DELIVER,
    INGEST,
    LEASE,
    SERVER_FAILS,
    SIGNATURE,
    UNFINISHED,
    children_of,
    deployments_of,
    find_runs,
    is_of,
)

log = logging.getLogger("postflow.ingest")

PAUSE = 20.0
# A run of `ingest` is tagged when it begins.
UNSIGNED = 60.0


async def watch_for_crashed_runs(studio: str, ledger: SecretStr | None) -> NoReturn:
    """Until cancelled: free what the dead among a studio's runs hold."""
    detector = CrashDetector(studio, ledger)
    while True:
        try:
            await detector.round()
        except SERVER_FAILS as error:
            log.warning("Prefect's server does not answer: %s", error)
        except Exception:
            log.exception("A fault of our own, at the runs that died:")
        await asyncio.sleep(PAUSE)


class CrashDetector:
    """Finds dead runs, round by round. What only a lease or a count says has to hold in two rounds,
    since a run that ends in order gives its lease back a moment before it is over.
    """

    def __init__(self, studio: str, ledger: SecretStr | None) -> None:
        self._studio = studio
        self._unsigned: dict[UUID, float] = {}
        self._where = ledger
        self._suspects: set[UUID] = set()

    async def round(self) -> None:
        """Mark dead runs as crashed, and give back slots that nobody holds."""
        living = await self._living()
        async with get_client() as client:
            ingests = await find_runs(client, UNFINISHED, flow=INGEST)
            # Those within a run of `ingest` have no signature, and end with it.
            deliveries = await find_runs(client, UNFINISHED, flow=DELIVER)
            clips = [run for run in deliveries if SIGNATURE in run.labels]
            runs = [run for run in (*ingests, *clips) if is_of(self._studio, run)]
            known = {run.id for run in runs}
            self._unsigned = {each: at for each, at in self._unsigned.items() if each in known}
            seem = {run.id for run in runs if self._seems_dead(run, living)}
            dead = [run for run in runs if _is_dead_here(run) or run.id in seem & self._suspects]
            for run in dead:
                await _mark_crashed(client, run)
            left = Counter(run.deployment_id for run in ingests if run not in dead)
            lost = {each.id: each for each in await _overfull(client, self._studio, left)}
            for deployment in (lost[each] for each in lost.keys() & self._suspects):
                await _free(client, deployment, left[deployment.id])
            self._suspects = seem | lost.keys()

    def _seems_dead(self, run: FlowRun, living: set[str] | None) -> bool:
        """Is it of another machine, and without its lease; or should it have signed long ago? This
        goes by this machine's clock: the run's own may be another one's.
        """
        signature, lease = run.labels.get(SIGNATURE), run.labels.get(LEASE)
        if not isinstance(signature, str):
            if not (run.state and run.state.is_running()):
                return False
            now = time.monotonic()
            return now - self._unsigned.setdefault(run.id, now) > UNSIGNED
        is_away = not is_here(ProcessMark.model_validate_json(signature))
        return is_away and lease is not None and living is not None and lease not in living

    async def _living(self) -> set[str] | None:
        """The leases that last; None while the ledger cannot tell."""
        try:
            async with open_ledger(self._where) as ledger:
                return await ledger.run(leases.living)
        except PostFlowError as error:
            log.warning("%s", error)
            return None


def _is_dead_here(run: FlowRun) -> bool:
    signature = run.labels.get(SIGNATURE)
    return isinstance(signature, str) and is_dead_here(ProcessMark.model_validate_json(signature))


async def _mark_crashed(client: PrefectClient, run: FlowRun) -> None:
    log.warning("The run %r had died; what it had begun is finished by the next one.", run.name)
    message = "Its process died; what it had begun is finished by the next run."
    state: State[None] = Crashed(message=message)
    for each in [run, *await children_of(client, run.id, UNFINISHED)]:
        await client.set_flow_run_state(each.id, state, force=True)


async def _overfull(
    client: PrefectClient, studio: str, runs: Mapping[UUID | None, int]
) -> list[DeploymentResponse]:
    """Deployments with more slots taken than there are `runs`: Prefect gives one back by the lease
    on it, which a full disk can cost.
    """
    mine = await deployments_of(client, studio)
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
