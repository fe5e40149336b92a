"""Stage: the Frame.io folder of a shot, found or made."""

from __future__ import annotations

from blocks.opening import OpenStudio
from postflow.models import Folder, Shot

from .stage import stage


@stage("place", subject=lambda given: "-".join([given["project"], *given["shot"].folder]))
async def place(live: OpenStudio, shot: Shot, *, project: str) -> Folder:
    """Raises Fatal when the project cannot be found or written to."""
    return await live.frameio.ensure_folder(await live.find_project(project), shot.folder)
