"""Stage: from a file on disk to a whole file in Frame.io, in as many attempts as it is worth."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
)

from postflow.delivery import arrival
from postflow.delivery.adoption import Found, find_delivered
from postflow.delivery.record import DeliveryRecord
from postflow.discord.cards import notice_card
from postflow.discord.relay import draft
from postflow.engine.artifacts import Progress
from postflow.engine.stage import stage
from postflow.engine.studio import OpenStudio
from postflow.errors import PostFlowError, Retry
from postflow.frameio import FrameioClient
from postflow.ledger import (
    StaleClaim,
    outbox,
)
from postflow.locks import one_at_a_time
from postflow.models import Arrival, Exposure, Folder, MediaFile, RemoteFile, Shot
from postflow.settings import RetryPolicy

log = logging.getLogger("postflow.transfer")


@stage("await arrival", retries=0)
async def await_arrival(
    live: OpenStudio, media: MediaFile, exposure: Exposure, remote: RemoteFile
) -> RemoteFile:
    """The file as Frame.io has it, once complete, of equal size, every byte served."""
    return await arrival.await_arrival(
        live.frameio,
        live.outlet,
        media,
        exposure,
        remote,
        patience=live.retry_policy,
        progress=Progress(media, also=live.progress),
        late=lambda why: _tell_late(live, media, why),
    )


async def _tell_late(live: OpenStudio, media: MediaFile, why: Retry | None) -> None:
    """Once for all clips of this run that wait for the same."""
    told = why.message if why else "Frame.io has every byte and does not finish."
    log.warning("%s has left, and is not seen to arrive: %s", media.name, told)
    if live.discord is None:
        return
    text = f"Clips have left this machine half an hour ago and are not seen to arrive. {told} "
    text += "They are looked for all the while; see https://status.frame.io."
    key = f"{live.channel}/late-{live.run_id}-{why.code if why else 'unfinished'}"
    try:
        await live.ledger.run(
            outbox.enqueue, draft(key, live.channel, notice_card("Clips arrive late", text))
        )
    except PostFlowError as error:
        log.warning("%s", error)
    live.notify()


SETTLING_LIMIT = 15.0


@stage("request upload", retries=0)
async def request_upload(
    live: OpenStudio,
    media: MediaFile,
    folder: Folder,
    exposure: Exposure,
    *,
    known: frozenset[str],
) -> RemoteFile:
    """The placeholder that Frame.io made. A lost answer is settled by looking, not by asking again.

    `known` holds the ids that the folder had under this name before.
    """
    asking = asyncio.ensure_future(
        live.frameio.files.remote_upload(
            folder,
            media.name,
            exposure.url,
            known=known,
            size=media.size,
            took_effect=lambda: live.outlet.served(exposure).requests > 0,
        )
    )
    try:
        return await asyncio.shield(asking)
    except asyncio.CancelledError:
        await _take_back(live, asking, media.name)
        raise


async def _take_back(live: OpenStudio, asking: asyncio.Future[RemoteFile], name: str) -> None:
    """A question that is on its way cannot be unasked: what comes of it is removed."""
    try:
        async with asyncio.timeout(SETTLING_LIMIT):
            await live.frameio.files.delete(await asking)
    except (PostFlowError, TimeoutError) as error:
        log.warning("An unfinished %s may stay in Frame.io for now: %s", name, error)


WITHDRAWAL_LIMIT = 15.0


@stage(
    "transfer",
    subject=lambda given: f"{given['media'].revision}-{given['folder'].id}",
    retries=0,
)
async def transfer(
    live: OpenStudio, media: MediaFile, clip: Shot, folder: Folder, *, record: DeliveryRecord
) -> Arrival:
    """Raises the last attempt's Retry when all were in vain, Fatal at once.

    A file that changed meanwhile is another revision: Retry `file.changed`, at once.
    """
    async with one_at_a_time("clip", folder.id, clip=media.name, timeout=live.retry_policy.total):
        arrival = await _attempted(live, media, clip, folder, record)
        # Who waits for the lock has to find it in the ledger.
        await record.arrived(folder, clip, arrival.remote)
        return arrival


async def _attempted(
    live: OpenStudio, media: MediaFile, clip: Shot, folder: Folder, record: DeliveryRecord
) -> Arrival:
    async for attempt in _attempts(live.retry_policy):
        with attempt:
            return await _attempt(live, media, clip, folder, record)
    raise AssertionError("tenacity returns or raises")


def _attempts(patience: RetryPolicy) -> AsyncRetrying:
    return AsyncRetrying(
        retry=retry_if_exception(_is_worth_another),
        stop=stop_after_attempt(patience.attempts) | stop_after_delay(patience.total),
        wait=wait_exponential(multiplier=patience.poll, max=60),
        before_sleep=_log_attempt,
        reraise=True,
    )


def _is_worth_another(error: BaseException) -> bool:
    return isinstance(error, Retry) and error.code != "file.changed"


def _log_attempt(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("Attempt %d failed: %s", state.attempt_number, error)


async def _attempt(
    live: OpenStudio, media: MediaFile, clip: Shot, folder: Folder, record: DeliveryRecord
) -> Arrival:
    group = await record.group(live.naming, folder, clip.stack)
    past = await record.past(folder, clip.stack, media)
    found = await find_delivered(live.frameio, folder, media, group, past)
    if found.remote:
        return _arrival(media, found.remote, found)
    async with live.outlet.expose(media) as exposure:
        await record.asking(folder, clip, exposure)
        remote = await request_upload(live, media, folder, exposure, known=found.known)
        async with _withdrawn_unless_whole(live.frameio, remote):
            await record.asked(remote)
            arrived = await await_arrival(live, media, exposure, remote)
    return _arrival(media, arrived, found)


def _arrival(media: MediaFile, remote: RemoteFile, found: Found) -> Arrival:
    adopted = found.remote is not None
    now = datetime.now(tz=UTC)
    return Arrival(media=media, remote=remote, adopted=adopted, alone=found.alone, at=now)


@asynccontextmanager
async def _withdrawn_unless_whole(
    frameio: FrameioClient, remote: RemoteFile
) -> AsyncIterator[None]:
    """A placeholder whose upload failed or was cancelled does not stay behind.

    When another run has taken the clip over, the file is that run's to judge.
    """
    try:
        yield
    except StaleClaim:
        raise
    except (Exception, asyncio.CancelledError):
        try:
            await asyncio.wait_for(frameio.files.delete(remote), WITHDRAWAL_LIMIT)
        except (PostFlowError, TimeoutError) as error:
            log.warning("The unfinished %s stays in Frame.io for now: %s", remote.name, error)
        raise
