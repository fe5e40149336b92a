"""The folder of a shot: known by its id, or met by its name for the first time."""

from __future__ import annotations

from .frameio import FrameioClient
from .ledger import AsyncLedger
from .models import Folder, Project


async def folder_at(
    ledger: AsyncLedger, frameio: FrameioClient, project: Project, path: tuple[str, ...]
) -> Folder:
    """Found wherever people have moved it and whatever they call it now; made where it is gone."""
    paths = {"/".join(path[:depth]): path[:depth] for depth in range(1, len(path) + 1)}
    known = await ledger.folders_at(project.id, list(paths))
    folder = await frameio.ensure_folder(
        project, path, {paths[label]: folder_id for label, folder_id in known.items()}
    )
    met = {"/".join(at): folder_id for at, folder_id in frameio.folder_ids(project, path).items()}
    new = {label: folder_id for label, folder_id in met.items() if known.get(label) != folder_id}
    if new:
        await ledger.keep_folders(project.id, new)
    return folder
