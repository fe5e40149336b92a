"""Stage: the clip joins its earlier versions on one stack."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from prefect import task
from prefect.cache_policies import NO_CACHE

from postflow.delivery.job import DeliveryJob
from postflow.delivery.record import DeliveryRecord
from postflow.delivery.stacking import VersionGroup, stack_versions
from postflow.discord.cards import stacked_payload, unstacked_payload
from postflow.engine.stage import BACKOFF, worth_another_attempt
from postflow.engine.studio import OpenStudio
from postflow.errors import PostFlowError, Retry
from postflow.frameio.endpoints import CHILDREN
from postflow.ledger import Claimed, StaleClaim, known_ids, stack_queue
from postflow.locks import one_at_a_time
from postflow.models import Arrival, Folder, RemoteFile, Shot

log = logging.getLogger("postflow.ingest")

BUSY_LIMIT = 600.0
# Calls that list a folder are every clip's: stacks leave half of them to clips; and clips do not
# wait for those that change a stack.
LOOKS_TO_SPARE = CHILDREN.calls // 2


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
    """The version stack's id; None while there is but one version, and where the stack follows.

    A clip does not wait for Frame.io's ten new stacks and hundred moves a minute: where one cannot
    be had at once, or others wait, it is left to the queue of `ingest`. One that a person sends
    from outside of the watch folders waits for its own.
    """
    record, folder = job.record, arrival.folder
    if arrival.alone and not await record.has_siblings(folder, shot):
        return None
    if not record.may_leave_stack:
        return await _join(studio, folder, shot.stack, record, arrival.remote)
    made = await studio.ledger.run(known_ids.stack_of, folder.id, shot.stack)
    if await _must_wait(studio, is_known=made is not None):
        record.stack_follows = True
        return None
    try:
        return await _join(studio, folder, shot.stack, record, arrival.remote)
    except Retry as later:
        if later.retry_after is None:
            raise
        record.stack_follows = True  # another program or host was before us
        return None


async def _must_wait(studio: OpenStudio, *, is_known: bool) -> bool:
    if min(studio.frameio.folders.looks, studio.frameio.stacks.changes) < LOOKS_TO_SPARE:
        return True
    if not is_known and studio.frameio.stacks.creations <= len(studio.stacking):
        return True
    return await studio.ledger.run(stack_queue.due, studio.name) > 0


async def stack_in_turn(studio: OpenStudio, claim: Claimed) -> None:
    """A clip that was delivered without its stack joins it now, or is put off once more; with it
    all that wait for the same stack.
    """
    record = DeliveryRecord(studio.ledger, claim, by_hand=False)
    reword = stacked_payload
    try:
        await _join(studio, claim.destination, str(claim.stack), record)
    except StaleClaim:
        raise
    except PostFlowError as error:
        if isinstance(error, Retry) and error.retry_after is not None:
            record.stack_follows = True
            log.info("The stack of %s has to wait: %s", claim.name, error)
        else:
            yet = " yet" if record.not_stacked(error) else ""
            reword = unstacked_payload
            log.warning("%s, delivered earlier, is not%s stacked: %s", claim.name, yet, error)
    else:
        log.info("%s, delivered earlier, has its place among its versions now.", claim.name)
    await record.done(reword=reword)
    studio.notify()


async def _join(
    studio: OpenStudio,
    folder: Folder,
    name: str,
    record: DeliveryRecord,
    arrived: RemoteFile | None = None,
) -> str | None:
    """`arrived`: the clip's file, that came a moment ago.

    Raises Retry with `retry_after` where Frame.io makes no new stack just now.
    """
    if record.stack_id:
        return record.stack_id
    with _counted(studio):
        async with one_at_a_time("stack", folder.id, clip=name, timeout=BUSY_LIMIT):
            await record.stacking()
            group = await VersionGroup.known(studio.ledger, studio.naming, folder, name)
            made = await stack_versions(
                studio.frameio, group, folder, arrived=arrived, waits=not record.may_leave_stack
            )
            if made is None:
                return None
            await record.stacked(made, reword=stacked_payload)
    return made.stack.id


@contextmanager
def _counted(studio: OpenStudio) -> Iterator[None]:
    """Others see that it may need one of Frame.io's ten new stacks a minute."""
    this = object()
    studio.stacking.add(this)
    try:
        yield
    finally:
        studio.stacking.discard(this)
