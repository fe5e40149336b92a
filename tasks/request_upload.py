"""Stage: Frame.io is asked to fetch the file."""

from __future__ import annotations

import asyncio
import logging

from postflow.engine.stage import stage
from postflow.engine.studio import OpenStudio
from postflow.errors import PostFlowError
from postflow.models import Exposure, Folder, MediaFile, RemoteFile

log = logging.getLogger("postflow.transfer")

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
        live.frameio.remote_upload(
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
            await live.frameio.delete_file(await asking)
    except (PostFlowError, TimeoutError) as error:
        log.warning("An unfinished %s may stay in Frame.io for now: %s", name, error)
