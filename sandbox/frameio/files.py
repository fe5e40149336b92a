"""Files once they are there: read, rename, move, copy, delete, metadata."""

from __future__ import annotations

from dataclasses import replace

from postflow.sandbox.refusals import Json, invalid, not_found

from . import shapes
from .assets import File, Folder, Name, VersionStack, copy_name, new_id, now, settled_name
from .endpoints import Body, Call, Table
from .folders import NewParent
from .places import ACCOUNT

files = Table()

FILE = ACCOUNT + "/files/{file_id}"


class FileName(Body):
    name: Name | None = None


@files.read("files.status", f"{FILE}/status")
async def show_status(call: Call) -> Json:
    file = call.file
    if call.world.faults.take("files.status", "upload_failed"):
        call.world.ingestion.fail(file)
    return {"data": shapes.status(file)}


@files.read("files.show", FILE)
async def show_file(call: Call) -> Json:
    return {"data": shapes.asset(call.world, call.file, call.asked.include)}


@files.write("files.update", "PATCH", FILE, FileName)
async def rename_file(call: Call, data: FileName) -> Json:
    file = call.file
    if data.name is not None:
        file.name = data.name
    file.touch()
    call.world.name_stack(call.world.tree.parent(file), ("head",))
    call.world.tell("file.updated", file.id, file.project_id, call.user)
    return {"data": shapes.asset(call.world, file)}


@files.write("files.move", "PATCH", f"{FILE}/move", NewParent)
async def move_file(call: Call, data: NewParent) -> Json:
    """Into a folder, or onto a version stack as its newest version."""
    file, tree = call.file, call.world.tree
    target = _target(call, data)
    left = tree.parent(file)
    tree.move(file, target)
    call.world.name_stack(target)
    call.world.settle_stack(left)
    event = "file.versioned" if isinstance(target, VersionStack) else "file.updated"
    call.world.tell(event, file.id, file.project_id, call.user)
    return {"data": shapes.asset(call.world, file)}


def _target(call: Call, data: NewParent) -> Folder | VersionStack:
    if data.parent_id is None:
        raise invalid("/data/parent_id", "Missing field: parent_id")
    target = call.world.tree.find(data.parent_id)
    if not isinstance(target, (Folder, VersionStack)):
        raise not_found()
    return target


@files.write("files.copy", "POST", f"{FILE}/copy", NewParent)
async def copy_file(call: Call, data: NewParent) -> Json:
    file, world = call.file, call.world
    parent = call.asset(data.parent_id or world.tree.folder_of(file).id, Folder)
    taken = [child.name for child in world.tree.children(parent)]
    name = settled_name(world, parent, copy_name(taken, file.name), File)
    twin = replace(
        file, id=new_id(), name=name, parent_id=parent.id, created_at=now(), updated_at=now()
    )
    world.blobs.link(file.id, twin.id)
    world.tree.add(twin)
    world.tell("file.copied", twin.id, twin.project_id, call.user)
    return {"data": shapes.asset(world, twin)}


@files.delete("files.delete", FILE)
async def delete_file(call: Call) -> None:
    call.world.remove(call.file, call.user)


@files.read("files.metadata", f"{FILE}/metadata")
async def show_metadata(call: Call) -> Json:
    """What of the fields Frame.io fills by itself a sandbox can know: name and type."""
    file = call.file
    return {"data": {"file_id": file.id, "metadata": _fields(file)}}


def _fields(file: File) -> list[Json]:
    facts = {"Source Filename": file.name, "Media Type": file.media_type}
    return [
        {
            "field_definition_id": new_id(),
            "field_definition_name": name,
            "field_type": "text",
            "mutable": False,
            "value": value,
        }
        for name, value in facts.items()
    ]
