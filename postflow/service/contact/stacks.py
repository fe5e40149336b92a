"""What becomes of a version stack: its name, and its end."""

from __future__ import annotations

from dataclasses import dataclass

from postflow.frameio import endpoints
from postflow.frameio.endpoints import Endpoint

from .files import a_file
from .visit import Visit

RENAME_FILE = Endpoint("PATCH", "/v4/accounts/{account_id}/files/{file_id}", "rename the file")
RENAMED = "contact_renamed.mov"


@dataclass(frozen=True)
class Story:
    """Its name after its newest version was renamed, and after another was put on; whether it is
    there with one version left."""

    renamed: str
    grown: str
    is_left: bool


async def story(visit: Visit) -> Story:
    first, second, third = [await a_file(visit, f"v00{number}") for number in (1, 2, 3)]
    made = await visit.ask(
        endpoints.CREATE_STACK, {"file_ids": [first, second]}, folder_id=visit.folder_id
    )
    stack_id = made.expect(201).data["id"]

    async def name() -> str:
        shown = await visit.ask(endpoints.STACK, stack_id=stack_id)
        return str(shown.expect(200).data["name"])

    (await visit.ask(RENAME_FILE, {"name": RENAMED}, file_id=second)).expect(200)
    renamed = await name()
    await _move(visit, third, stack_id)
    grown = await name()
    for version in (third, second):
        await _move(visit, version, visit.folder_id)
    left = await visit.ask(endpoints.STACK, stack_id=stack_id)
    return Story(renamed, grown, left.expect(200, 404).status == 200)


async def _move(visit: Visit, file_id: str, parent_id: str) -> None:
    moved = await visit.ask(endpoints.MOVE_FILE, {"parent_id": parent_id}, file_id=file_id)
    moved.expect(200)


async def stack_name(visit: Visit) -> str:
    told = await visit.once(story)
    if told.renamed == RENAMED:
        return "head"
    return "arrival" if told.grown.startswith("contact_v003") else "creation"


async def stack_of_one(visit: Visit) -> str:
    return "keep" if (await visit.once(story)).is_left else "dissolve"
