"""Folders: create, find, read, rename, move, delete."""

from __future__ import annotations

from postflow.sandbox.refusals import Json, Refusal, invalid

from . import shapes
from .assets import Asset, File, Folder, Name, VersionStack, settled_name
from .endpoints import AssetId, Body, Call, Table
from .places import ACCOUNT
from .queries import page

folders = Table()

FOLDER = ACCOUNT + "/folders/{folder_id}"
UNNAMED = "New Folder"


class FolderName(Body):
    name: Name | None = None


class NewParent(Body):
    parent_id: AssetId | None = None


@folders.write("folders.create", "POST", f"{FOLDER}/folders", FolderName)
async def create_folder(call: Call, data: FolderName) -> Json:
    parent = call.folder
    folder = Folder(
        name=settled_name(call.world, parent, data.name or UNNAMED, Folder),
        project_id=parent.project_id,
        parent_id=parent.id,
        creator_id=call.user.id,
    )
    call.world.tree.add(folder)
    call.world.tell("folder.created", folder.id, folder.project_id, call.user)
    return {"data": shapes.asset(call.world, folder)}


@folders.read("folders.show", FOLDER)
async def show_folder(call: Call) -> Json:
    return {"data": shapes.asset(call.world, call.folder, call.asked.include)}


@folders.read("folders.list", f"{FOLDER}/folders")
async def list_folders(call: Call) -> Json:
    return _children(call, (Folder,))


@folders.read("folders.files", f"{FOLDER}/files")
async def list_files(call: Call) -> Json:
    return _children(call, (File,))


@folders.read("version_stacks.list", f"{FOLDER}/version_stacks")
async def list_stacks(call: Call) -> Json:
    return _children(call, (VersionStack,))


@folders.read("folders.children", f"{FOLDER}/children")
async def list_children(call: Call) -> Json:
    return _children(call, (File, Folder, VersionStack))


def _children(call: Call, kinds: tuple[type[Asset], ...]) -> Json:
    found = [
        child
        for child in call.world.tree.children(call.folder)
        if isinstance(child, kinds) and child.kind in call.asked.kinds
    ]
    include = call.asked.include
    return page(found, call.asked, call.path, lambda it: shapes.asset(call.world, it, include))


@folders.write("folders.update", "PATCH", FOLDER, FolderName)
async def rename_folder(call: Call, data: FolderName) -> Json:
    folder = call.folder
    if data.name is not None:
        folder.name = data.name
    folder.touch()
    call.world.tell("folder.updated", folder.id, folder.project_id, call.user)
    return {"data": shapes.asset(call.world, folder)}


@folders.write("folders.move", "PATCH", f"{FOLDER}/move", NewParent)
async def move_folder(call: Call, data: NewParent) -> Json:
    folder, tree = call.folder, call.world.tree
    target = call.asset(_named(data), Folder)
    if folder.parent_id is None:
        raise Refusal(403)
    if folder in (target, *tree.folders_above(target)):
        raise invalid("/data/parent_id", "A folder cannot be moved into itself")
    tree.move(folder, target)
    call.world.tell("folder.updated", folder.id, folder.project_id, call.user)
    return {"data": shapes.asset(call.world, folder)}


def _named(data: NewParent) -> str:
    if data.parent_id is None:
        raise invalid("/data/parent_id", "Missing field: parent_id")
    return data.parent_id


@folders.delete("folders.delete", FOLDER)
async def delete_folder(call: Call) -> None:
    folder = call.folder
    if folder.parent_id is None:
        raise Refusal(403)
    call.world.remove(folder, call.user)
