"""A person cancels a clip, by `postflow cancel` or in Prefect's UI: it stops, others travel on.

The ledger says what is cancelled, so a clip is stopped by whichever run has it, on any host.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID

from prefect import get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.objects import State as RunState
from prefect.runtime import flow_run
from prefect.states import Cancelled

from postflow.delivery.announcements import of_clip
from postflow.delivery.job import DeliveryJob
from postflow.discord.cards import failed_card
from postflow.engine.runs import SERVER_FAILS, best_effort, children_of, is_to_be_cancelled
from postflow.engine.stopping import is_of_a_deployment
from postflow.engine.studio import OpenStudio
from postflow.errors import PostFlowError, engine_trouble
from postflow.ledger import Claimed, StaleClaim, queue
from postflow.ledger.errors import retry_while_busy
from postflow.stop import in_background

log = logging.getLogger("postflow.ingest")

# Seconds between two looks into the ledger, for each clip, and at Prefect's server.
LOOK = 2.0
PAUSE = 3.0


@asynccontextmanager
async def until_cancelled(job: DeliveryJob) -> AsyncIterator[None]:
    """Stop the block when a person cancels the clip: raises Fatal `clip.cancelled`.

    So does the end of a deployment's own run, where Prefect's UI asked for it. A clip that is whole
    in Frame.io is not stopped any more.
    """
    work = asyncio.current_task()
    assert work is not None
    others = work.cancelling()
    asked: list[str] = []
    try:
        async with in_background(_cancel_when_asked(job, work, asked), "cancelling"):
            yield
    except asyncio.CancelledError:
        if not asked and is_of_a_deployment() and await is_to_be_cancelled():
            asked += await _mark(job)
        if asked and work.uncancel() <= others:
            raise queue.cancelled(job.media.name, asked[0]) from None
        raise


async def _cancel_when_asked(
    job: DeliveryJob, work: asyncio.Task[object], asked: list[str]
) -> None:
    while not asked:
        try:
            how = await job.record.how_cancelled()
        except PostFlowError as error:  # a busy ledger: it is asked again
            log.debug("%s", error)
            how = None
        if how:
            asked.append(how)
            work.cancel()
        await asyncio.sleep(LOOK)


async def _mark(job: DeliveryJob) -> list[str]:
    """Mark the clip as cancelled, so that the next run ends it should this one be killed first."""
    try:
        await job.record.cancel(queue.IN_PREFECT)
        how = await job.record.how_cancelled()
    except PostFlowError as error:
        log.warning("%s", error)
        return []
    return [how] if how else []


async def withdrawn(studio: OpenStudio, job: DeliveryJob, why: PostFlowError) -> bool:
    """End a cancelled clip of which something may be in Frame.io; false where nothing can be."""
    if (claim := job.record.begun) is None:
        return False
    card = failed_card(job.media, job.shot, why, project=await studio.project_name(job.project))
    message = of_clip(studio.channel, job.record, card)
    await retry_while_busy(
        lambda: studio.abandon(claim, why, message), f"The end of {claim.name} is to be noted"
    )
    studio.notify()
    return True


class Cancelling:
    """What is cancelled in Prefect's UI of this `ingest` run's subflows: they live in its process,
    so nobody but it can stop one of them.
    """

    def __init__(self, studio: OpenStudio) -> None:
        self._studio = studio
        self._asked: dict[tuple[int, int], UUID] = {}
        self._heard: set[UUID] = set()
        self._looked_at = time.monotonic()

    async def look(self, on_their_way: Iterable[Claimed]) -> None:
        """Every few seconds: the ledger has what a person has cancelled."""
        travelling = list(on_their_way)
        if not travelling or time.monotonic() - self._looked_at < PAUSE:
            return
        self._looked_at = time.monotonic()
        new = [run for run in await _cancelling() if run.id not in self._heard]
        asked = {Path(run.parameters["path"]): run.id for run in new}
        for claim in travelling:
            if claim.path in asked:
                with suppress(StaleClaim):
                    await self._studio.ledger.run(queue.mark_cancelled, claim, queue.IN_PREFECT)
                self._asked[_key(claim)] = asked[claim.path]
                self._heard.add(asked[claim.path])

    async def guard(self, claim: Claimed, travel: Coroutine[None, None, None]) -> None:
        """The clip's travel; its run is Cancelled, also where it was over already."""
        await travel
        if run_id := self._asked.pop(_key(claim), None):
            await _end_run(run_id)


def _key(claim: Claimed) -> tuple[int, int]:
    """This claim of the clip: the next revision at its path is another one, and so is a retry."""
    return claim.clip_id, claim.token


async def _end_run(run_id: UUID) -> None:
    """Prefect takes no other end of a run that was to be cancelled."""
    late: RunState[None] = Cancelled(message="It was over before it could be stopped.")
    async with best_effort("the end of a cancelled run"), get_client() as client:
        run = await client.read_flow_run(run_id)
        if run.state_type is StateType.CANCELLING:
            await client.set_flow_run_state(run_id, late, force=True)


async def _cancelling() -> list[FlowRun]:
    """This run's subflows that are to be cancelled; none while Prefect's server is silent."""
    if not flow_run.id:
        return []
    try:
        async with get_client() as client:
            return await children_of(client, UUID(str(flow_run.id)), [StateType.CANCELLING])
    except SERVER_FAILS as error:
        log.warning("%s", engine_trouble(error) or error)
        return []
