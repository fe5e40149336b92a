"""A person cancels one clip's run in Prefect's UI: that clip stops, the others travel on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping
from pathlib import Path
from uuid import UUID

import httpx
from prefect import get_client
from prefect.client.schemas import filters, sorting
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.objects import State as RunState
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run
from prefect.states import Cancelled

from postflow.delivery.job import DeliveryJob
from postflow.delivery.record import DeliveryRecord
from postflow.engine.artifacts import best_effort
from postflow.engine.studio import OpenStudio
from postflow.errors import Fatal, engine_trouble
from postflow.ledger import Claimed, State, queries
from postflow.ledger.errors import retry_while_busy
from postflow.tasks.announce import announce_failure

from .batch import Batch

log = logging.getLogger("postflow.ingest")

PAUSE = 3.0
MOST = 200
NEWEST = sorting.FlowRunSort.START_TIME_DESC
OVER = frozenset({State.DONE, State.SKIPPED, State.FAILED, State.SUPERSEDED})


class Cancelling:
    """Subflows live in the process of `ingest`, so nobody but it can stop one of them."""

    def __init__(self, studio: OpenStudio, batch: Batch) -> None:
        self._studio = studio
        self._batch = batch
        self._asked: dict[tuple[int, int], UUID] = {}
        self._heard: set[UUID] = set()
        self._looked_at = time.monotonic()

    async def look(self, on_their_way: Mapping[asyncio.Task[None], Claimed]) -> None:
        """Every few seconds: stop the clips whose runs a person has cancelled."""
        if not on_their_way or time.monotonic() - self._looked_at < PAUSE:
            return
        self._looked_at = time.monotonic()
        new = [run for run in await _cancelling() if run.id not in self._heard]
        asked = {Path(run.parameters["path"]): run.id for run in new}
        for task, claim in on_their_way.items():
            has_run = claim.finished_at is None
            if has_run and claim.path in asked:
                run_id = asked[claim.path]
                self._heard.add(run_id)
                self._asked[_key(claim)] = run_id
                task.cancel()

    async def guard(self, claim: Claimed, travel: Coroutine[None, None, None]) -> None:
        """The clip's travel. A person's stop makes it failed; any other cancellation goes on."""
        try:
            await travel
        except asyncio.CancelledError:
            run_id = self._asked.pop(_key(claim), None)
            if run_id is None:
                raise
            why = _cancelled(claim)
            log.warning("%s", why)
            await retry_while_busy(
                lambda: self._end(claim, why), f"The end of {claim.name} is to be noted"
            )
            self._batch.not_delivered(claim.name, why)
            await _end_run(run_id, str(why))

    async def _end(self, claim: Claimed, why: Fatal) -> None:
        """Fail the clip as far as it had come; one that is whole in Frame.io stays delivered."""
        rows = await self._studio.ledger.run(
            queries.rows, studio=self._studio.name, name=claim.relpath
        )
        state = next(row.state for row in rows if row.id == claim.clip_id)
        if state in OVER:
            return
        current = claim.model_copy(update={"state": state})
        record = DeliveryRecord(self._studio.ledger, current, by_hand=False)
        job = DeliveryJob(claim.media, record, project=self._studio.project)
        job.shot = self._studio.naming.identify(claim.name)
        await announce_failure(self._studio, job, why)


def _key(claim: Claimed) -> tuple[int, int]:
    """This claim of the clip: the next revision at its path is another one, and so is a retry."""
    return claim.clip_id, claim.token


async def _end_run(run_id: UUID, message: str) -> None:
    state: RunState[None] = Cancelled(message=message)
    async with best_effort("the end of a cancelled run"), get_client() as client:
        await client.set_flow_run_state(run_id, state, force=True)


async def _cancelling() -> list[FlowRun]:
    """This run's subflows that are to be cancelled; none while Prefect's server is silent."""
    if not flow_run.id:
        return []
    mine = filters.FlowRunFilter(
        parent_flow_run_id=filters.FlowRunFilterParentFlowRunId(any_=[UUID(str(flow_run.id))]),
        state=filters.FlowRunFilterState(
            type=filters.FlowRunFilterStateType(any_=[StateType.CANCELLING])
        ),
    )
    try:
        async with get_client() as client:
            return await client.read_flow_runs(flow_run_filter=mine, sort=NEWEST, limit=MOST)
    except (httpx.HTTPError, PrefectException) as error:
        log.warning("%s", engine_trouble(error) or error)
        return []


def _cancelled(claim: Claimed) -> Fatal:
    return Fatal(
        f"Somebody cancelled {claim.name} in Prefect's UI.",
        hint=f"Deliver it after all with `postflow retry {claim.name}`.",
        code="clip.cancelled",
    )
