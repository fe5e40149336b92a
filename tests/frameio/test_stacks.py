"""Version stacks: made of two to ten files, and grown by moving files onto them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from postflow.delivery.stacking import VersionGroup, stack_versions
from postflow.errors import Fatal
from postflow.frameio import FrameioClient
from postflow.models import Folder, Project, RemoteFile
from postflow.naming import Naming
from postflow.sandbox import Sandbox
from tests.frameio.connecting import calls

CREATE = "version_stacks.create"


@pytest.fixture
async def folder(client: FrameioClient, project: Project) -> Folder:
    return await client.folders.ensure(project, ("SQ07",))


@pytest.fixture
async def versions(
    client: FrameioClient, folder: Folder, source_url: SecretStr
) -> list[RemoteFile]:
    return [
        await client.files.remote_upload(
            folder, f"SQ07_UNDLM_00152_v{number:03}.mov", source_url, known=frozenset()
        )
        for number in (1, 2, 3)
    ]


def ids_of(files: list[RemoteFile]) -> tuple[str, ...]:
    return tuple(file.id for file in files)


async def test_a_stack_is_made_of_files_from_oldest_to_newest(
    client: FrameioClient, folder: Folder, versions: list[RemoteFile]
) -> None:
    stack = await client.stacks.create(folder, ids_of(versions))
    assert stack.head is not None
    assert stack.head.id == versions[-1].id
    assert ids_of(await client.stacks.versions(stack)) == ids_of(versions)
    assert [found.id for found in (await client.folders.contents(folder)).stacks] == [stack.id]


async def test_another_version_goes_on_top(
    client: FrameioClient, folder: Folder, versions: list[RemoteFile]
) -> None:
    stack = await client.stacks.create(folder, ids_of(versions[:2]))
    moved = await client.files.move(versions[2], stack.id)
    assert moved.folder_id == stack.id
    [grown] = (await client.folders.contents(folder)).stacks
    assert grown.head is not None
    assert grown.head.id == versions[2].id


@pytest.mark.parametrize(
    "fault",
    [
        {"what": "lost_answer"},
        {"what": "lost_answer", "code": 502},
        {"what": "reset"},
        {"what": "status", "code": 503},
        {"what": "rate_limited"},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
async def test_whatever_happens_to_the_creation_there_is_one_stack(
    world: Sandbox,
    client: FrameioClient,
    folder: Folder,
    versions: list[RemoteFile],
    fault: dict[str, Any],
) -> None:
    world.fault(where=CREATE, **fault)
    stack = await client.stacks.create(folder, ids_of(versions))
    assert [found.id for found in (await client.folders.contents(folder)).stacks] == [stack.id]
    assert ids_of(await client.stacks.versions(stack)) == ids_of(versions)


@pytest.mark.parametrize("what", ["lost_answer", "reset"])
async def test_a_version_is_added_once_whatever_happens_to_the_answer(
    world: Sandbox,
    client: FrameioClient,
    folder: Folder,
    versions: list[RemoteFile],
    what: str,
) -> None:
    stack = await client.stacks.create(folder, ids_of(versions[:2]))
    world.fault(what, where="files.move")
    await client.files.move(versions[2], stack.id)
    assert ids_of(await client.stacks.versions(stack)) == ids_of(versions)


@pytest.mark.parametrize("count", [0, 1, 11])
async def test_a_number_of_files_that_makes_no_stack_is_refused_before_asking(
    world: Sandbox, client: FrameioClient, folder: Folder, count: int
) -> None:
    with pytest.raises(Fatal) as raised:
        await client.stacks.create(folder, tuple(str(number) for number in range(count)))
    assert raised.value.code == "frameio.bad_stack"
    assert calls(world, CREATE) == 0


async def test_one_file_twice_makes_no_stack(client: FrameioClient, folder: Folder) -> None:
    with pytest.raises(Fatal):
        await client.stacks.create(folder, ("a", "a"))


async def test_loose_files_and_stacks_come_in_one_call(
    world: Sandbox, client: FrameioClient, folder: Folder, versions: list[RemoteFile]
) -> None:
    stack = await client.stacks.create(folder, ids_of(versions[:2]))
    before = len(world.requests())
    contents = await client.folders.contents(folder)
    assert [file.id for file in contents.files] == [versions[2].id]
    assert [found.id for found in contents.stacks] == [stack.id]
    assert len(world.requests()) == before + 1


async def test_an_order_that_was_left_half_made_is_mended(
    client: FrameioClient, folder: Folder, versions: list[RemoteFile]
) -> None:
    """A run was stopped after it had put version 2 on top of 1 and 3."""
    one, two, three = versions
    await client.stacks.create(folder, ids_of([one, three, two]))
    made = await stack_versions(client, VersionGroup(Naming.preset(), "SQ07_UNDLM_00152"), folder)
    assert made is not None
    assert ids_of(await client.stacks.versions(made.stack)) == ids_of(versions)
    assert made.file_ids == set(ids_of(versions))


@pytest.mark.parametrize("seen_before", [True, False])
async def test_only_what_is_not_in_its_place_is_moved(
    world: Sandbox,
    client: FrameioClient,
    folder: Folder,
    versions: list[RemoteFile],
    seen_before: bool,
) -> None:
    """Version 2 comes last. Of a look before, all are loose, also those that are stacked by now."""
    seen = {file.id: file for file in (await client.folders.contents(folder)).files}
    one, two, three = (seen[each.id] for each in versions)
    stack = await client.stacks.create(folder, ids_of([one, three]))
    if not seen_before:
        await client.folders.contents(folder)
    group = VersionGroup(Naming.preset(), "SQ07_UNDLM_00152", stack_id=stack.id)
    made = await stack_versions(client, group, folder, arrived=two)
    assert made is not None
    assert ids_of(await client.stacks.versions(made.stack)) == ids_of(versions)
    assert made.file_ids == set(ids_of(versions))
    assert calls(world, "files.move") == 3  # 2 goes on it, 3 is taken out and goes on top
