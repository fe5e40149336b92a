"""Stage: Frame.io is asked to fetch the file."""

from __future__ import annotations

from blocks.opening import OpenStudio
from postflow.models import Exposure, Folder, MediaFile, RemoteFile

from .stage import stage


@stage("request upload", subject=lambda given: given["exposure"].id, retries=0)
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
    return await live.frameio.remote_upload(
        folder,
        media.name,
        exposure.url,
        known=known,
        size=media.size,
        took_effect=lambda: live.outlet.served(exposure).requests > 0,
    )
