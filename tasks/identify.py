"""Stage: what does the file's name mean, and where does it go?"""

from __future__ import annotations

from postflow.engine.stage import stage
from postflow.engine.studio import OpenStudio
from postflow.models import MediaFile, Shot


@stage(
    "identify",
    retries=1,
    timeout=60,
    result_of=lambda given: (given["media"].name, given["scene"], given["shot"]),
)
async def identify(
    studio: OpenStudio, media: MediaFile, *, scene: str | None = None, shot: str | None = None
) -> Shot:
    """Raises Skip when the name matches no rule and nothing was given by hand."""
    return studio.naming.identify(media.name, scene=scene, shot=shot)
