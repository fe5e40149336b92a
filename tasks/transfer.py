"""Stage: from a file on disk to a whole file in Frame.io."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from prefect import task
from prefect.context import TaskRunContext
from prefect.runtime import task_run

from postflow.delivery import arrival
from postflow.delivery.adoption import Found, find_delivered
from postflow.delivery.arrival import Sending
from postflow.delivery.job import DeliveryJob
from postflow.delivery.stacking import VersionGroup
from postflow.delivery.unfinished import can_go_on_after, missing_of
from postflow.discord.cards import notice_card
from postflow.engine.artifacts import Progress
from postflow.engine.stage import KEEP, cache_key, worth_another_attempt
from postflow.engine.studio import OpenStudio
from postflow.errors import Fatal, PostFlowError, Retry
from postflow.language import N_, _, told
from postflow.ledger import StaleClaim, outbox
from postflow.locks import one_at_a_time
from postflow.media.pinned import changed
from postflow.models import Arrival, Folder, MediaFile, RemoteFile, Shot
from postflow.settings import RetryPolicy

from .announce import announce_departure, announce_failure
from .place import folder_of

log = logging.getLogger("postflow.transfer")

POLICY = RetryPolicy()
# Refusals that may be of what was there a moment before.
OF_THE_MOMENT = {"frameio.not_found", "frameio.conflict"}
SETTLING_LIMIT = WITHDRAWAL_LIMIT = 15.0


def _by_revision_and_folder(_: TaskRunContext, given: dict[str, Any]) -> str:
    return cache_key("transfer", given["studio"], given["job"].media.revision, given["folder"].id)


# No `timeout_seconds`: an attempt is not ended while bytes move; the policy's `stall` and `total`
# end one that stands still.
@task(
    name="transfer",
    task_run_name="transfer",
    retries=POLICY.attempts - 1,
    retry_delay_seconds=POLICY.delays,
    retry_condition_fn=worth_another_attempt,
    cache_key_fn=_by_revision_and_folder,
    cache_expiration=KEEP,
    refresh_cache=True,  # `deliver` reads it where Frame.io has just confirmed the file
    persist_result=True,
    result_serializer="json",
)
async def transfer(studio: OpenStudio, job: DeliveryJob, shot: Shot, folder: Folder) -> Arrival:
    """One attempt: adopted where Frame.io has the clip, else sent there by one way or the other.

    Raises Retry for what another attempt may mend, `file.changed`, a conflict and a folder that
    somebody has deleted among that; Fatal for the rest.
    """
    if task_run.run_count > 1:
        await _begin_anew_if_changed(studio, job, shot)
        folder = await folder_of(studio, shot, project=job.project)
    limit = studio.settings.retry_policy.total
    try:
        async with one_at_a_time("clip", folder.id, clip=job.media.name, timeout=limit):
            arrived = await _attempt(studio, job, shot, folder)
            # Who waits for the lock has to find it in the ledger.
            await job.record.arrived(folder, shot, arrived.remote)
            return arrived
    except Fatal as error:
        is_last = task_run.run_count >= studio.settings.retry_policy.attempts
        if error.code not in OF_THE_MOMENT or is_last:
            raise
        studio.frameio.folders.gone(folder.id)
        raise Retry(error.message, hint=error.hint, code=error.code) from error


async def _begin_anew_if_changed(studio: OpenStudio, job: DeliveryJob, shot: Shot) -> None:
    """Other content is another revision, with a record and a message of its own."""
    media = await studio.probe_media(job.media.path, by_hand=True)
    if media.revision != job.media.revision:
        await announce_failure(studio, job, changed(job.media))
        job.media, job.record = media, await studio.open_by_hand(media)
        await announce_departure(studio, job, shot)
    else:
        job.media = media


async def _attempt(studio: OpenStudio, job: DeliveryJob, shot: Shot, folder: Folder) -> Arrival:
    media, record = job.media, job.record
    may_go_on = studio.ways.may_go_directly(job.transfer)
    begun = await record.parts.begun(folder, media) if may_go_on else ()
    group = await VersionGroup.known(studio.ledger, studio.naming, folder, shot.stack)
    past = await record.past(folder, shot.stack, media, resumable=bool(begun))
    found = await find_delivered(studio.frameio, folder, media, group, past)
    if found.remote:
        return _arrival(media, folder, found.remote, found)
    resumes = found.unfinished is not None
    arrived = partial(record.parts.arrived, media)
    way = studio.ways.sending(media, arrived, transfer=job.transfer, resumes=resumes)
    async with way as sending:
        if found.unfinished:
            remote = found.unfinished
            sending.resume(missing_of(begun, media))
        else:
            await record.asking(folder, shot, sending)
            remote = await _request_upload(studio, sending, media, folder, known=found.known)
        async with _withdrawn_unless_whole(studio, job, sending, remote):
            await (record.parts.resumed() if resumes else record.asked(remote, parts=sending.parts))
            whole = await _await_arrival(studio, job, sending, remote)
    return _arrival(media, folder, whole, found, sending)


def _arrival(
    media: MediaFile,
    folder: Folder,
    remote: RemoteFile,
    found: Found,
    sending: Sending | None = None,
) -> Arrival:
    return Arrival(
        media=media,
        folder=folder,
        remote=remote,
        adopted=found.remote is not None,
        alone=found.alone,
        at=datetime.now(tz=UTC),
        way=sending.way if sending else None,
        detour=sending.detour if sending else None,
    )


async def _request_upload(
    studio: OpenStudio,
    sending: Sending,
    media: MediaFile,
    folder: Folder,
    *,
    known: frozenset[str],
) -> RemoteFile:
    """The placeholder that Frame.io made. A lost answer is settled by looking, not by asking again.

    `known` holds the ids that the folder had under this name before.
    """
    asking = asyncio.ensure_future(sending.request(folder, known))
    try:
        return await asyncio.shield(asking)
    except asyncio.CancelledError:
        await _take_back(studio, asking, media.name)
        raise


async def _take_back(studio: OpenStudio, asking: asyncio.Future[RemoteFile], name: str) -> None:
    """Wait for the file that was already asked for, and remove it."""
    try:
        async with asyncio.timeout(SETTLING_LIMIT):
            await studio.frameio.files.delete(await asking)
    except (PostFlowError, TimeoutError) as error:
        log.warning("An unfinished %s may stay in Frame.io for now: %s", name, error)


@asynccontextmanager
async def _withdrawn_unless_whole(
    studio: OpenStudio, job: DeliveryJob, sending: Sending, remote: RemoteFile
) -> AsyncIterator[None]:
    """A placeholder whose upload failed or was cancelled does not stay behind, unless an attempt
    or a later run can go on with it.

    When another run has taken the clip over, the file is that run's to judge.
    """
    try:
        yield
    except StaleClaim:
        raise
    except (Exception, asyncio.CancelledError) as error:
        can_go_on = sending.way == "direct" and job.record.parts.is_kept(remote)
        if not (can_go_on and can_go_on_after(error)):
            await _withdraw(studio, job, remote)
        raise


async def _withdraw(studio: OpenStudio, job: DeliveryJob, remote: RemoteFile) -> None:
    try:
        async with asyncio.timeout(WITHDRAWAL_LIMIT):
            await studio.frameio.files.delete(remote)
    except (PostFlowError, TimeoutError) as error:
        log.warning("The unfinished %s stays in Frame.io for now: %s", remote.name, error)
        return
    try:
        await job.record.parts.withdrawn()
    except PostFlowError as error:
        log.warning("That %s was withdrawn is not noted: %s", remote.name, error)


async def _await_arrival(
    studio: OpenStudio, job: DeliveryJob, sending: Sending, remote: RemoteFile
) -> RemoteFile:
    """The file as Frame.io has it, once complete, of equal size, every byte gone out."""
    media = job.media
    return await arrival.await_arrival(
        studio.frameio,
        sending,
        media,
        remote,
        policy=studio.settings.retry_policy,
        progress=Progress(media, job.record, also=studio.progress),
        late=lambda why: _tell_late(studio, media, why),
        finishing=studio.finishing,
    )


async def _tell_late(studio: OpenStudio, media: MediaFile, why: Retry | None) -> None:
    """Once for all clips of this run that wait for the same."""
    reason = why.message if why else N_("Frame.io has every byte and does not finish.")
    log.warning("%s has left, and is not seen to arrive: %s", media.name, reason)
    if studio.channel is None:
        return
    text = _(
        "Clips have left this machine half an hour ago and are not seen to arrive. %(why)s They "
        "are looked for all the while; see https://status.frame.io."
    )
    key = f"{studio.channel}/late-{studio.run_id}-{why.code if why else 'unfinished'}"
    card = notice_card(_("Clips arrive late"), text % {"why": told(reason)})
    try:
        await studio.ledger.run(outbox.enqueue, card.announcement(key, studio.channel))
    except PostFlowError as error:
        log.warning("%s", error)
    studio.notify()
