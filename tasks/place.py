"""Stage: the Frame.io folder of a shot, found or made."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.context import TaskRunContext

from postflow.engine.stage import BACKOFF, KEEP, cache_key, worth_another_attempt
from postflow.engine.studio import OpenStudio
from postflow.errors import Fatal
from postflow.frameio import FrameioClient
from postflow.ledger import AsyncLedger, known_ids
from postflow.models import Folder, Project, Shot


async def folder_at(
    ledger: AsyncLedger, frameio: FrameioClient, project: Project, path: tuple[str, ...]
) -> Folder:
    """Found wherever people have moved it and whatever they call it now; made where it is gone."""
    paths = {"/".join(path[:depth]): path[:depth] for depth in range(1, len(path) + 1)}
    known = await ledger.run(known_ids.folders_at, project.id, list(paths))
    folder = await frameio.folders.ensure(
        project, path, {paths[label]: folder_id for label, folder_id in known.items()}
    )
    met = {"/".join(at): folder_id for at, folder_id in frameio.folders.ids(project, path).items()}
    new = {label: folder_id for label, folder_id in met.items() if known.get(label) != folder_id}
    if new:
        await ledger.run(known_ids.keep_folders, project.id, new)
    return folder


def _by_folder(_: TaskRunContext, given: dict[str, Any]) -> str:
    return cache_key("place", given["studio"], given["project"], *given["shot"].folder)


@task(
    name="place",
    task_run_name="place",
    retries=1,
    retry_delay_seconds=BACKOFF,
    retry_condition_fn=worth_another_attempt,
    timeout_seconds=3600,
    cache_key_fn=_by_folder,
    cache_expiration=KEEP,
    refresh_cache=True,  # `deliver` reads it where Frame.io has just confirmed the file
    persist_result=True,
    result_serializer="json",
)
async def place(studio: OpenStudio, shot: Shot, *, project: str) -> Folder:
    """Raises Fatal when the project cannot be found or written to."""
    return await folder_of(studio, shot, project=project)


async def folder_of(studio: OpenStudio, shot: Shot, *, project: str) -> Folder:
    """Once more with a project of that name that is new, where the one we knew is gone."""
    found = await studio.find_project(project)
    try:
        return await folder_at(studio.ledger, studio.frameio, found, shot.folder)
    except Fatal as error:
        if error.code != "frameio.not_found":
            raise
    studio.projects.pop(project, None)
    return await folder_at(
        studio.ledger, studio.frameio, await studio.find_project(project), shot.folder
    )
