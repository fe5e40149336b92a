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
from datetime import timedelta
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
from prefect.settings import get_current_settings
from prefect.states import Crashed
from prefect.types import KeyValueLabels
from pydantic import SecretStr

from postflow.delivery.unfinished import remove_unfinished
from postflow.errors import PostFlowError
from postflow.folder.notices import Notices
from postflow.frameio.auth import sign_in
from postflow.language import counted
from postflow.ledger import leases, open_ledger, queries, roots
from postflow.ledger.errors import retry_while_busy
from postflow.ledger.process import ProcessMark, is_dead_here, is_here, this_process
from postflow.media import picture
from postflow.outlet.ngrok.folder import reap
from postflow.state import is_due, lock_dir, state_dir, sweep

from .artifacts import best_effort
from .stage import KEEP, RESULTS
from .studio import OpenStudio

log = logging.getLogger("postflow.ingest")

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
PAUSE = 20.0
# A run of `ingest` is tagged when it begins.
UNSIGNED = 60.0


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


async def watch_for_crashed_runs(studio: str, ledger: SecretStr | None) -> NoReturn:
    """Until cancelled: free what the dead among a studio's runs hold."""
    detector = CrashDetector(studio, ledger)
    while True:
        try:
            await detector.round()
        except (httpx.HTTPError, PrefectException) as error:
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
            ingests = await _unfinished(client, INGEST)
            # Those within a run of `ingest` have no signature, and end with it.
            clips = [run for run in await _unfinished(client, DELIVER) if SIGNATURE in run.labels]
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
        """Of another machine, and without its lease; or it should have signed long ago, by this
        machine's clock alone: the run's own may be another one's.
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


def is_of(studio: str, run: FlowRun | DeploymentResponse) -> bool:
    """What has not opened its studio, as no deployment has, and names none, may be any studio's;
    but another program's flow may be called `ingest`, too.
    """
    if named := run.labels.get(STUDIO) or run.parameters.get("studio"):
        return bool(named == studio)
    return TAG in run.tags or SIGNATURE in run.labels


async def _unfinished(client: PrefectClient, flow: filters.FlowFilterName) -> list[FlowRun]:
    return await client.read_flow_runs(
        flow_filter=filters.FlowFilter(name=flow),
        flow_run_filter=filters.FlowRunFilter(state=_in_state(UNFINISHED)),
        sort=NEWEST,
        limit=MOST,
    )


def _in_state(types: list[StateType]) -> filters.FlowRunFilterState:
    return filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=types))


async def _mark_crashed(client: PrefectClient, run: FlowRun) -> None:
    log.warning("The run %r had died; what it had begun is finished by the next one.", run.name)
    message = "Its process died; what it had begun is finished by the next run."
    state: State[None] = Crashed(message=message)
    for each in [run, *await children_of(client, run.id, UNFINISHED)]:
        await client.set_flow_run_state(each.id, state, force=True)


async def end_children(state: State[None]) -> None:
    """Of this run, that is stopped: those that were only starting have not said so themselves."""
    stopped = UUID(str(flow_run.id))
    async with best_effort("the end of clips' runs"), get_client() as client:
        for each in await children_of(client, stopped, [*UNFINISHED, StateType.CRASHED]):
            await client.set_flow_run_state(each.id, state, force=True)


async def children_of(client: PrefectClient, run: UUID, types: list[StateType]) -> list[FlowRun]:
    """A run's subflows that are in one of these states."""
    parent = filters.FlowRunFilterParentFlowRunId(any_=[run])
    mine = filters.FlowRunFilter(parent_flow_run_id=parent, state=_in_state(types))
    return await client.read_flow_runs(flow_run_filter=mine, sort=NEWEST, limit=MOST)


async def _overfull(
    client: PrefectClient, studio: str, runs: Mapping[UUID | None, int]
) -> list[DeploymentResponse]:
    """Deployments with more slots taken than there are `runs`: Prefect gives one back by the lease
    on it, which a full disk can cost.
    """
    mine = await deployments_of(client, studio)
    return [each for each in mine if _taken(each) > runs.get(each.id, 0)]


async def deployments_of(client: PrefectClient, studio: str) -> list[DeploymentResponse]:
    """All that run the studio's `ingest`."""
    found = await client.read_deployments(
        flow_filter=filters.FlowFilter(name=INGEST),
        sort=sorting.DeploymentSort.NAME_ASC,
        limit=MOST,
    )
    return [each for each in found if is_of(studio, each)]


def _taken(deployment: DeploymentResponse) -> int:
    limit = deployment.global_concurrency_limit
    return limit.active_slots if limit else 0


async def _free(client: PrefectClient, deployment: DeploymentResponse, held: int) -> None:
    limit = deployment.global_concurrency_limit
    assert limit is not None
    log.warning("The deployment %r had a slot that no run held; it is free now.", deployment.name)
    update = GlobalConcurrencyLimitUpdate(active_slots=held)
    await client.update_global_concurrency_limit(limit.name, update)


# What a run that goes on just now may still want to read.
MARGIN = timedelta(days=5)


async def clean_up(studio: OpenStudio) -> None:
    """Take up the clips of runs that died, renew the sign-in, end the ngrok agents that were left
    behind, and once a day remove what has outlived its use.
    """
    recovered = await studio.ledger.run(leases.recover)
    if recovered.clip_ids:
        many = len(recovered.clip_ids)
        verb = "is" if many == 1 else "are"
        log.info("%s of runs that died %s taken up again.", counted(many, "clip"), verb)
    await _keep_signed_in(studio)
    await remove_unfinished(studio.ledger, studio.frameio, studio.name)
    await asyncio.to_thread(reap, state_dir())
    try:
        if await asyncio.to_thread(is_due, state_dir() / "swept"):
            await asyncio.to_thread(_sweep, await studio.ledger.run(queries.revisions))
    except OSError as error:
        log.warning("What has outlived its use stays for now: %s", error)


async def _keep_signed_in(studio: OpenStudio) -> None:
    """Renew the sign-in when it is due, as `watch` does, which need not run."""
    why = await sign_in.renew_if_due(studio.sign_in)
    if why is None:
        return
    log.warning("%s", why)
    if why.code == "adobe.sign_in_ends":
        notices = Notices(studio.ledger, studio.channel, studio.run_id)
        notices.tell(*sign_in.notice_of(why))
        await notices.hand_over()


def _sweep(revisions: set[str]) -> None:
    """Prefect never removes results that have expired, filelock no locks. Pictures go with the
    rows of their clips.
    """
    results = get_current_settings().results.local_storage_path
    removed = sweep(results.glob(f"{RESULTS}*"), older=KEEP + MARGIN)
    # Taking a lock dates it anew; `up` takes its own once.
    locks = (each for each in lock_dir().glob("*.lock") if each.name != "up.lock")
    removed += sweep(locks, older=MARGIN)
    removed += picture.forget_all_but(revisions, older=MARGIN)
    if removed:
        log.info("Results, locks and pictures of long ago that were removed: %d.", removed)
