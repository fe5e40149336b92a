"""Stage: what does the file's name mean, and where does it go?"""

from __future__ import annotations

from postflow.engine.stage import stage
from postflow.engine.studio import OpenStudio
from postflow.models import MediaFile, Shot


@stage("identify", subject=lambda given: f"{given['media'].name}-{given['scene']}-{given['shot']}")
async def identify(
    live: OpenStudio, media: MediaFile, *, scene: str | None, shot: str | None
) -> Shot:
    """Raises Skip when the name matches no rule and nothing was given by hand."""
    return live.naming.identify(media.name, scene=scene, shot=shot)
