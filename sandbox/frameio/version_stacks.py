"""Version stacks: the versions of one clip, oldest first; the last one is the head."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from postflow.sandbox.refusals import Json, invalid

from . import shapes
from .assets import File, Folder, VersionStack
from .endpoints import AssetId, Body, Call, Table
from .folders import FOLDER, NewParent
from .places import ACCOUNT
from .queries import page

version_stacks = Table()

STACK = ACCOUNT + "/version_stacks/{version_stack_id}"
MOST_AT_CREATION = 10


class NewStack(Body):
    file_ids: Annotated[list[AssetId], Field(min_length=2, max_length=MOST_AT_CREATION)]


@version_stacks.write("version_stacks.create", "POST", f"{FOLDER}/version_stacks", NewStack)
async def create_stack(call: Call, data: NewStack) -> Json:
    """The files lie in the folder of the path, on no stack yet; their order is oldest first."""
    folder, tree = call.folder, call.world.tree
    versions = _versions(call, folder, data.file_ids)
    stack = VersionStack(
        name=versions[-1].name,
        project_id=folder.project_id,
        parent_id=folder.id,
        creator_id=call.user.id,
    )
    tree.add(stack)
    for version in versions:
        tree.move(version, stack)
        call.world.tell("file.versioned", version.id, version.project_id, call.user)
    return {"data": shapes.asset(call.world, stack)}


def _versions(call: Call, folder: Folder, file_ids: list[str]) -> list[File]:
    versions = [call.asset(file_id, File) for file_id in file_ids]
    if any(version.parent_id != folder.id for version in versions):
        raise invalid("/data/file_ids", "All files must be in the folder of the version stack")
    return versions


@version_stacks.read("version_stacks.show", STACK)
async def show_stack(call: Call) -> Json:
    return {"data": shapes.asset(call.world, call.stack, call.asked.include)}


@version_stacks.read("version_stacks.children", f"{STACK}/children")
async def list_versions(call: Call) -> Json:
    versions = call.world.tree.versions(call.stack)
    include = call.asked.include
    return page(versions, call.asked, call.path, lambda it: shapes.asset(call.world, it, include))


@version_stacks.write("version_stacks.move", "PATCH", f"{STACK}/move", NewParent)
async def move_stack(call: Call, data: NewParent) -> Json:
    if data.parent_id is None:
        raise invalid("/data/parent_id", "Missing field: parent_id")
    stack = call.stack
    call.world.tree.move(stack, call.asset(data.parent_id, Folder))
    return {"data": shapes.asset(call.world, stack)}
