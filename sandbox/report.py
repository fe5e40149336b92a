"""What the world holds, told for tests and people: assets and folders as plain rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from postflow.sandbox.frameio.assets import File, Folder, VersionStack
from postflow.sandbox.frameio.shapes import stamp

if TYPE_CHECKING:
    from .world import World


def assets(world: World) -> list[dict[str, Any]]:
    """One row for each file; `created` counts all that were ever made at that path."""
    return [_file(world, asset) for asset in world.tree if isinstance(asset, File)]


def _file(world: World, file: File) -> dict[str, Any]:
    parent = world.tree.parent(file)
    stack = parent if isinstance(parent, VersionStack) else None
    position = world.tree.versions(stack).index(file) + 1 if stack else None
    return {
        "id": file.id,
        "path": "/".join(world.tree.path(file)),
        "name": file.name,
        "size": file.file_size,
        "sha256": file.sha256,
        "status": file.status,
        "upload_failed": file.upload_failed,
        "media_type": file.media_type,
        "stack": stack.id if stack else None,
        "position": position,
        "created": world.tree.times_created(file),
        "created_at": stamp(file.created_at),
        "folder_id": world.tree.folder_of(file).id,
        "project_id": file.project_id,
        "view_url": world.view_url(file),
    }


def folders(world: World) -> list[dict[str, Any]]:
    """One row for each folder below a project's root."""
    return [
        {
            "id": folder.id,
            "path": "/".join(world.tree.path(folder)),
            "name": folder.name,
            "parent_id": folder.parent_id,
            "project_id": folder.project_id,
            "created": world.tree.times_created(folder),
        }
        for folder in world.tree
        if isinstance(folder, Folder) and folder.parent_id is not None
    ]
