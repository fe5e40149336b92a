"""How things look in answers: every key the official models require, null where it may be."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from postflow.sandbox.refusals import Json

from .assets import Asset, File, Folder, VersionStack
from .studio import Project, User, Workspace

if TYPE_CHECKING:
    from postflow.sandbox.world import World

NOTHING: frozenset[str] = frozenset()
MEDIA_LINKS = "media_links."


def stamp(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="microseconds")


def user(someone: User) -> Json:
    return {
        "id": someone.id,
        "name": someone.name,
        "email": someone.email,
        "avatar_url": None,
        "active": True,
        "adobe_user_id": None,
    }


def account(world: World) -> Json:
    ours = world.studio.account
    return {
        "id": ours.id,
        "display_name": ours.display_name,
        "roles": ["owner"],
        "storage_usage": world.stored_bytes(),
        "storage_limit": world.switches.storage_limit or None,
        "image": None,
        "adobe_id": None,
        "mounted_storage_enabled": False,
        "v4_migrated_at": None,
        "created_at": stamp(ours.created_at),
        "updated_at": stamp(ours.created_at),
    }


def workspace(world: World, ours: Workspace, include: frozenset[str] = NOTHING) -> Json:
    shape: Json = {
        "id": ours.id,
        "name": ours.name,
        "account_id": ours.account_id,
        "image": None,
        "created_at": stamp(ours.created_at),
        "updated_at": stamp(ours.created_at),
    }
    if "creator" in include:
        shape["creator"] = user(world.studio.user(ours.creator_id))
    return shape


def project(world: World, ours: Project, include: frozenset[str] = NOTHING) -> Json:
    shape: Json = {
        "id": ours.id,
        "name": ours.name,
        "workspace_id": ours.workspace_id,
        "root_folder_id": ours.root_folder_id,
        "status": "active",
        "storage": world.stored_bytes(ours.id),
        "restricted": ours.restricted,
        "image": None,
        "adobe_id": None,
        "view_url": world.project_url(ours.id),
        "created_at": stamp(ours.created_at),
        "updated_at": stamp(ours.updated_at),
    }
    if "owner" in include:
        shape["owner"] = user(world.studio.user(ours.owner_id))
    return shape


def asset(world: World, it: Asset, include: frozenset[str] = NOTHING) -> Json:
    """A folder, file or version stack, with what was asked to be included."""
    shape = _common(world, it) | _includes(world, it, include)
    if isinstance(it, Folder):
        return shape | {"cover_file_id": None, "restricted": it.restricted}
    if isinstance(it, File):
        return shape | _file(world, it, include)
    return shape | {"head_version": asset(world, world.tree.versions(it)[-1], include)}


def _common(world: World, it: Asset) -> Json:
    return {
        "id": it.id,
        "name": it.name,
        "type": it.kind,
        "parent_id": it.parent_id,
        "project_id": it.project_id,
        "view_url": world.view_url(it),
        "created_at": stamp(it.created_at),
        "updated_at": stamp(it.updated_at),
        "adobe_id": None,
    }


def _includes(world: World, it: Asset, include: frozenset[str]) -> Json:
    shape: Json = {}
    if "creator" in include:
        shape["creator"] = user(world.studio.user(it.creator_id))
    if "project" in include:
        shape["project"] = project(world, world.studio.projects[it.project_id])
    if "metadata" in include:
        shape["metadata"] = []
    return shape


def _file(world: World, it: File, include: frozenset[str]) -> Json:
    shape: Json = {
        "file_size": it.file_size,
        "media_type": it.media_type,
        "status": it.status,
        "adobe_version_id": None,
    }
    wanted = [name.removeprefix(MEDIA_LINKS) for name in include if MEDIA_LINKS in name]
    if wanted:
        shape["media_links"] = media_links(world, it, wanted)
    return shape


def media_links(world: World, it: File, wanted: list[str]) -> Json:
    """The original from upload on, the others from transcoding on; null before."""
    return {link: _media_link(world, it, link) for link in wanted}


def _media_link(world: World, it: File, link: str) -> Json | None:
    if it.status == "created" or (link != "original" and it.status != "transcoded"):
        return None
    media = f"{world.url}/media/{it.id}"
    if link == "original":
        return {"download_url": f"{media}/{quote(it.name, safe='')}", "inline_url": media}
    if "thumbnail" in link or link == "scrub_sheet":
        thumbnail = f"{world.url}/thumbnails/{it.id}.png"
        return {"url": thumbnail, "download_url": thumbnail}
    return {"url": media, "download_url": media}


def status(it: File) -> Json:
    """The one place that tells of a failed upload."""
    return {
        "id": it.id,
        "filetype": it.media_type or it.guessed_type or "application/octet-stream",
        "upload_complete": it.status != "created",
        "upload_failed": it.upload_failed,
        "uploaded_at": stamp(it.upload_started_at),
        "upload_completed_at": stamp(it.upload_completed_at),
    }


def file_rows(world: World) -> list[dict[str, Any]]:
    """One row for each file; `created` counts all that were ever made at that path."""
    return [_file_row(world, asset) for asset in world.tree if isinstance(asset, File)]


def _file_row(world: World, file: File) -> dict[str, Any]:
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


def folder_rows(world: World) -> list[dict[str, Any]]:
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
