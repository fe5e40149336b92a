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
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
)

from blocks.opening import OpenStudio
from postflow.adoption import find_delivered
from postflow.clip_lock import clip_lock
from postflow.errors import PostFlowError, Retry
from postflow.frameio import FrameioClient
from postflow.media import look_at
from postflow.models import Arrival, Folder, MediaFile, RemoteFile
from postflow.patience import Patience
from postflow.places import lock_dir

from .await_arrival import await_arrival
from .request_upload import request_upload
from .stage import stage

log = logging.getLogger(__name__)

WITHDRAWAL_LIMIT = 15.0


def _clip_and_folder(given: dict[str, object]) -> str:
    media, folder = given["media"], given["folder"]
    assert isinstance(media, MediaFile)
    assert isinstance(folder, Folder)
    return f"{media.revision}-{folder.id}"


@stage("transfer", subject=_clip_and_folder, retries=0)
async def transfer(live: OpenStudio, media: MediaFile, folder: Folder) -> Arrival:
    """Raises the last attempt's Retry when all were in vain, Fatal at once."""
    patience = live.patience
    async with clip_lock(lock_dir(), folder, media, timeout=patience.total):
        async for attempt in _attempts(patience):
            with attempt:
                if attempt.retry_state.attempt_number > 1:
                    media = await look_at(media.path)
                return await _attempt(live, media, folder)
    raise AssertionError("tenacity returns or raises")


def _attempts(patience: Patience) -> AsyncRetrying:
    return AsyncRetrying(
        retry=retry_if_exception_type(Retry),
        stop=stop_after_attempt(patience.attempts) | stop_after_delay(patience.total),
        wait=wait_exponential(multiplier=patience.poll, max=60),
        before_sleep=_log_attempt,
        reraise=True,
    )


def _log_attempt(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("Attempt %d failed: %s", state.attempt_number, error)


async def _attempt(live: OpenStudio, media: MediaFile, folder: Folder) -> Arrival:
    found = await find_delivered(live.frameio, folder, media)
    if found.remote:
        return _arrival(media, found.remote, adopted=True)
    async with live.outlet.opened(), live.outlet.expose(media) as exposure:
        remote = await request_upload(live, media, folder, exposure, known=found.known)
        async with _withdrawn_unless_whole(live.frameio, remote):
            arrived = await await_arrival(live, media, exposure, remote)
    return _arrival(media, arrived, adopted=False)


def _arrival(media: MediaFile, remote: RemoteFile, *, adopted: bool) -> Arrival:
    return Arrival(media=media, remote=remote, adopted=adopted, at=datetime.now(tz=UTC))


@asynccontextmanager
async def _withdrawn_unless_whole(
    frameio: FrameioClient, remote: RemoteFile
) -> AsyncIterator[None]:
    """A placeholder whose upload failed or was cancelled does not stay behind."""
    try:
        yield
    except (PostFlowError, asyncio.CancelledError):
        try:
            await asyncio.wait_for(frameio.delete_file(remote), WITHDRAWAL_LIMIT)
        except (PostFlowError, TimeoutError) as error:
            log.warning("The unfinished %s stays in Frame.io for now: %s", remote.name, error)
        raise
