"""Stage: the clip joins its earlier versions on one stack."""

from __future__ import annotations

from blocks.opening import OpenStudio
from postflow.clip_lock import one_at_a_time
from postflow.journey import Journey
from postflow.models import Arrival, Folder, Shot
from postflow.stacking import Family, stack_versions

from .stage import stage

BUSY_LIMIT = 600.0


@stage("stack", subject=lambda given: given["arrival"].remote.id, retries=3)
async def stack(
    live: OpenStudio, arrival: Arrival, clip: Shot, folder: Folder, *, journey: Journey
) -> str | None:
    """The version stack's id; None while there is but one version."""
    if arrival.alone and not await journey.has_mates(folder, clip):
        return None
    async with one_at_a_time("stack", folder, clip.stack, timeout=BUSY_LIMIT):
        await journey.stacking()
        made = await stack_versions(live.frameio, Family(live.naming, clip.stack), folder)
        if made is None:
            return None
        await journey.stacked(made.id)
    return made.id
