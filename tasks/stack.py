"""Stage: the clip joins its earlier versions on one stack."""

from __future__ import annotations

import logging

from prefect import task
from prefect.cache_policies import NO_CACHE

from postflow.delivery.job import DeliveryJob
from postflow.delivery.record import DeliveryRecord
from postflow.delivery.stacking import stack_versions
from postflow.engine.stage import BACKOFF, worth_another_attempt
from postflow.engine.studio import OpenStudio
from postflow.errors import PostFlowError
from postflow.ledger import Claimed, StaleClaim
from postflow.locks import one_at_a_time
from postflow.models import Arrival, Folder, Shot

log = logging.getLogger("postflow.ingest")

BUSY_LIMIT = 600.0


@task(
    name="stack",
    task_run_name="stack",
    retries=3,
    retry_delay_seconds=BACKOFF,
    retry_condition_fn=worth_another_attempt,
    timeout_seconds=3600,
    cache_policy=NO_CACHE,
)
async def stack(studio: OpenStudio, job: DeliveryJob, shot: Shot, arrival: Arrival) -> str | None:
    """The version stack's id; None while there is but one version."""
    if arrival.alone and not await job.record.has_siblings(arrival.folder, shot):
        return None
    return await _join(studio, arrival.folder, shot.stack, job.record)


async def stack_again(studio: OpenStudio, claim: Claimed) -> None:
    """A clip that was delivered without its stack joins it now, or is put off once more."""
    record = DeliveryRecord(studio.ledger, claim, by_hand=False)
    try:
        await _join(studio, claim.destination, str(claim.stack), record)
    except StaleClaim:
        raise
    except PostFlowError as error:
        yet = " yet" if record.not_stacked(error) else ""
        log.warning("%s, delivered earlier, is not%s stacked: %s", claim.name, yet, error)
    else:
        log.info("%s, delivered earlier, has its place among its versions now.", claim.name)
    await record.done()


async def _join(
    studio: OpenStudio, folder: Folder, name: str, record: DeliveryRecord
) -> str | None:
    if record.stack_id:
        return record.stack_id
    async with one_at_a_time("stack", folder.id, clip=name, timeout=BUSY_LIMIT):
        await record.stacking()
        group = await record.group(studio.naming, folder, name)
        made = await stack_versions(studio.frameio, group, folder)
        if made is None:
            return None
        await record.stacked(made.id)
    return made.id
