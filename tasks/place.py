"""Stage: the Frame.io folder of a shot, found or made."""

from __future__ import annotations

from postflow.engine.stage import stage
from postflow.engine.studio import OpenStudio
from postflow.errors import Fatal
from postflow.models import Folder, Shot
from postflow.placing import folder_at


@stage("place", subject=lambda given: "-".join([given["project"], *given["shot"].folder]))
async def place(live: OpenStudio, shot: Shot, *, project: str) -> Folder:
    """Raises Fatal when the project cannot be found or written to."""
    found = await live.find_project(project)
    try:
        return await folder_at(live.ledger, live.frameio, found, shot.folder)
    except Fatal as error:
        if error.code != "frameio.not_found":
            raise
    # The project itself is gone; there may be a new one of its name.
    live.projects.pop(project, None)
    return await folder_at(live.ledger, live.frameio, await live.find_project(project), shot.folder)
