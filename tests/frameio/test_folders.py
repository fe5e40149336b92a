"""Folders: found where they are, created once where they are not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from postflow.errors import Fatal, Retry
from postflow.frameio import FrameioClient
from postflow.frameio.client import Shared
from postflow.frameio.folder_cache import FolderCache
from postflow.frameio.folders import Contents
from postflow.models import Folder, Project
from postflow.sandbox import Sandbox
from tests.frameio.connecting import calls, connected, folder_names, in_processes, raw, subfolders
from tests.journeys.proof import armed
from tests.support.wait import wait_until

PATH = ("2_FROM_ANIM", "SQ07", "UNDLM_00152")
CREATE = "folders.create"


async def make(world: Sandbox, parent_id: str, name: str) -> str:
    path = f"/v4/accounts/{world.account_id}/folders/{parent_id}/folders"
    return str((await raw(world, "POST", path, {"name": name}))["id"])


async def remove(world: Sandbox, folder_id: str) -> None:
    await raw(world, "DELETE", f"/v4/accounts/{world.account_id}/folders/{folder_id}")


async def test_a_path_is_created_below_the_root(
    world: Sandbox, client: FrameioClient, project: Project
) -> None:
    folder = await client.folders.ensure(project, PATH)
    assert folder.path == PATH
    assert folder.project_id == project.id
    assert await folder_names(world) == {"2_FROM_ANIM", "SQ07", "UNDLM_00152"}


async def test_an_existing_path_is_found(
    world: Sandbox, tmp_path: Path, client: FrameioClient, project: Project
) -> None:
    folder = await client.folders.ensure(project, PATH)
    async with connected(world, tmp_path) as another:
        assert await another.folders.ensure(project, PATH) == folder
    assert calls(world, CREATE) == 3


async def test_the_empty_path_is_the_root(client: FrameioClient, project: Project) -> None:
    assert (await client.folders.ensure(project, ())).id == project.root_folder_id


async def test_a_known_path_costs_no_call(
    world: Sandbox, client: FrameioClient, project: Project
) -> None:
    await client.folders.ensure(project, PATH)
    before = len(world.requests())
    await client.folders.ensure(project, PATH)
    await client.folders.ensure(project, PATH[:2])
    assert len(world.requests()) == before


async def test_a_folder_is_looked_for_again_after_a_while(
    world: Sandbox, tmp_path: Path, project: Project
) -> None:
    """Somebody may have renamed or moved it: its id would still be good, but not its place."""
    forgetful = Shared()
    forgetful.folders = FolderCache(seconds=0)
    async with connected(world, tmp_path, shared=forgetful) as client:
        folder = await client.folders.ensure(project, ("SQ07",))
        place = f"/v4/accounts/{world.account_id}/folders/{folder.id}"
        await raw(world, "PATCH", place, {"name": "OLD_SQ07"})
        assert (await client.folders.ensure(project, ("SQ07",))).id != folder.id


async def test_siblings_seen_in_one_list_are_known(
    world: Sandbox, client: FrameioClient, project: Project
) -> None:
    ids = {name: await make(world, project.root_folder_id, name) for name in ("a", "b", "c")}
    await client.folders.ensure(project, ("a",))
    before = len(world.requests())
    assert (await client.folders.ensure(project, ("c",))).id == ids["c"]
    assert len(world.requests()) == before


async def test_twenty_at_once_make_one_folder(
    world: Sandbox, client: FrameioClient, project: Project
) -> None:
    folders = await asyncio.gather(*(client.folders.ensure(project, PATH) for _ in range(20)))
    assert len({folder.id for folder in folders}) == 1
    assert calls(world, CREATE) == 3


async def test_twenty_clients_that_share_only_a_lock_make_one_folder(
    world: Sandbox, tmp_path: Path, project: Project
) -> None:
    async def ensure() -> str:
        async with connected(world, tmp_path, shared=Shared()) as client:
            return (await client.folders.ensure(project, PATH)).id

    assert len(set(await asyncio.gather(*(ensure() for _ in range(20))))) == 1
    assert calls(world, CREATE) == 3


async def test_processes_at_once_make_one_folder(
    world: Sandbox, tmp_path: Path, project: Project
) -> None:
    given = {
        "world": world.describe(),
        "tokens": world.tokens(),
        "lock_dir": str(tmp_path),
        "project": project.model_dump(),
        "path": PATH,
    }
    ids = await asyncio.to_thread(in_processes, "ensuring_process", json.dumps(given), 3)
    assert len(set(ids)) == 1
    assert calls(world, CREATE) == 3


async def ensured_at_once(world: Sandbox, tmp_path: Path, project: Project) -> list[str]:
    """Two hosts have both looked in vain before either creates the folder."""

    async def ensure(host: str) -> str:
        async with connected(world, tmp_path / host) as client:
            return (await client.folders.ensure(project, ("SQ07",))).id

    world.fault("delay", where=CREATE, seconds=600, times=2)
    both = asyncio.gather(*(ensure(host) for host in ("one", "two")))
    await wait_until(lambda: armed(world) == [] or both.done(), description="both requests")
    world.release()
    return list(await both)


async def test_hosts_without_a_common_lock_end_in_the_oldest_folder(
    world: Sandbox, tmp_path: Path, project: Project
) -> None:
    """Both look, both find nothing, both create: the younger, still empty one goes again."""
    ids = await ensured_at_once(world, tmp_path, project)
    assert calls(world, CREATE) == 2
    left = await subfolders(world, project.root_folder_id)
    assert len(left) == 1
    assert set(ids) == {folder["id"] for folder in left}


async def test_of_two_folders_by_one_name_the_oldest_wins(
    world: Sandbox, client: FrameioClient, project: Project
) -> None:
    oldest, _younger = [await make(world, project.root_folder_id, "SQ07") for _ in range(2)]
    assert (await client.folders.ensure(project, ("SQ07",))).id == oldest


async def test_names_are_compared_in_one_unicode_form(
    world: Sandbox, client: FrameioClient, project: Project
) -> None:
    decomposed = await make(world, project.root_folder_id, "E\u0301te\u0301")
    assert (await client.folders.ensure(project, ("\u00c9t\u00e9",))).id == decomposed


async def test_a_folder_on_a_later_page_is_found(
    world: Sandbox, tmp_path: Path, project: Project
) -> None:
    for number in range(7):
        await make(world, project.root_folder_id, f"SQ{number:02}")
    wanted = await make(world, project.root_folder_id, "SQ99")
    async with connected(world, tmp_path, shared=Shared(page_size=2)) as client:
        assert (await client.folders.ensure(project, ("SQ99",))).id == wanted
    pages = [request["query"] for request in world.requests() if request["op"] == "folders.list"]
    assert len(pages) == 4
    assert all(page["page_size"] == "2" for page in pages)


@pytest.mark.parametrize("status", [403, 404])
async def test_a_fault_on_page_two_is_an_error_not_an_end(
    world: Sandbox, tmp_path: Path, project: Project, status: int
) -> None:
    """Taken for the end of the list, it would create a second folder by that name."""
    for number in range(5):
        await make(world, project.root_folder_id, f"SQ{number:02}")
    before = calls(world, CREATE)
    world.fault("status", where="folders.list", code=status, skip=1)
    async with connected(world, tmp_path, shared=Shared(page_size=2)) as client:
        with pytest.raises(Fatal):
            await client.folders.ensure(project, ("SQ04",))
    assert calls(world, CREATE) == before


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_passing_fault_on_page_two_is_overcome(
    world: Sandbox, tmp_path: Path, project: Project, status: int
) -> None:
    for number in range(4):
        await make(world, project.root_folder_id, f"SQ{number:02}")
    wanted = await make(world, project.root_folder_id, "SQ04")
    world.fault("status", where="folders.list", code=status, skip=1)
    async with connected(world, tmp_path, shared=Shared(page_size=2)) as client:
        assert (await client.folders.ensure(project, ("SQ04",))).id == wanted


@pytest.mark.parametrize(
    "fault",
    [
        {"what": "lost_answer"},
        {"what": "lost_answer", "code": 502},
        {"what": "lost_answer", "code": 504},
        {"what": "reset"},
        {"what": "status", "code": 500},
        {"what": "status", "code": 503},
        {"what": "rate_limited"},
        {"what": "token_expiry"},
        {"what": "lost_answer", "times": 3},
        {"what": "reset", "times": 2},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
async def test_whatever_happens_to_the_creation_there_is_one_folder_each(
    world: Sandbox, client: FrameioClient, project: Project, fault: dict[str, Any]
) -> None:
    world.fault(where=CREATE, **fault)
    folder = await client.folders.ensure(project, PATH)
    assert folder.path == PATH
    assert await folder_names(world) == set(PATH)


async def test_a_creation_that_never_answers_is_given_up_and_can_be_retried(
    world: Sandbox, client: FrameioClient, project: Project
) -> None:
    world.fault("reset", where=CREATE, times=3)
    with pytest.raises(Retry) as raised:
        await client.folders.ensure(project, ("SQ07",))
    assert raised.value.code == "frameio.unsettled"
    assert calls(world, CREATE) == 3
    assert (await client.folders.ensure(project, ("SQ07",))).path == ("SQ07",)


async def test_frameio_that_allows_each_name_once_is_understood(
    tmp_path: Path, project: Project
) -> None:
    """Another host is quicker, and our creation is answered by 409."""
    with Sandbox(duplicate_folders="refuse", rate_scale=100) as world:
        project = project.model_copy(update=world_ids(world))
        ids = await ensured_at_once(world, tmp_path, project)
        assert len(set(ids)) == 1


async def test_frameio_that_numbers_names_that_are_taken_is_understood(
    tmp_path: Path, project: Project
) -> None:
    with Sandbox(duplicate_folders="rename", rate_scale=100) as world:
        project = project.model_copy(update=world_ids(world))
        ids = await ensured_at_once(world, tmp_path, project)
        assert len(set(ids)) == 1
        assert await folder_names(world) == {"SQ07"}


def world_ids(world: Sandbox) -> dict[str, str]:
    return {
        "id": world.project_id,
        "account_id": world.account_id,
        "root_folder_id": world.root_folder_id,
    }


async def test_a_folder_deleted_in_frameio_is_made_again(
    world: Sandbox, client: FrameioClient, project: Project
) -> None:
    first = await client.folders.ensure(project, PATH)
    [top] = await subfolders(world, project.root_folder_id)
    await remove(world, top["id"])
    with pytest.raises(Fatal) as raised:
        await client.folders.contents(first)
    assert raised.value.code == "frameio.not_found"
    again = await client.folders.ensure(project, PATH)
    assert again.id != first.id
    assert (await client.folders.contents(again)).files == ()


async def test_a_parent_deleted_in_frameio_is_noticed_on_the_way(
    world: Sandbox, client: FrameioClient, project: Project
) -> None:
    await client.folders.ensure(project, PATH[:2])
    [top] = await subfolders(world, project.root_folder_id)
    await remove(world, top["id"])
    assert (await client.folders.ensure(project, PATH)).path == PATH


async def test_a_project_that_is_gone_is_fatal(client: FrameioClient, project: Project) -> None:
    missing = "00000000-0000-4000-8000-000000000000"
    gone = project.model_copy(update={"root_folder_id": missing})
    with pytest.raises(Fatal) as raised:
        await client.folders.ensure(gone, PATH)
    assert raised.value.code == "frameio.not_found"


@pytest.mark.parametrize("name", ["", "x" * 256])
async def test_a_name_frameio_cannot_take_is_refused_before_asking(
    world: Sandbox, client: FrameioClient, project: Project, name: str
) -> None:
    with pytest.raises(Fatal) as raised:
        await client.folders.ensure(project, ("SQ07", name))
    assert raised.value.code == "frameio.bad_name"
    assert not world.requests()


async def test_folders_can_be_listed_and_deleted(
    world: Sandbox, client: FrameioClient, project: Project
) -> None:
    root = await client.folders.ensure(project, ())
    ids = [await make(world, root.id, "check") for _ in range(2)]
    made = [root.model_copy(update={"id": folder_id}) for folder_id in ids]
    assert [child.id for child in (await client.folders.children(root)).items] == ids
    assert (await client.folders.contents(root)) == Contents(files=(), stacks=())
    for folder in made:
        await client.folders.delete(folder)
    await client.folders.delete(made[0])
    assert await subfolders(world, project.root_folder_id) == []


async def test_a_deleted_folder_is_not_handed_out_again(
    client: FrameioClient, project: Project
) -> None:
    folder = await client.folders.ensure(project, ("SQ07",))
    await client.folders.delete(Folder(**folder.model_dump()))
    assert (await client.folders.ensure(project, ("SQ07",))).id != folder.id


@pytest.mark.parametrize(
    "theirs", ["2_from_anim", "2_FROM_ANIM ", " 2_From_Anim", "2_FROM_ANIM\u00a0"]
)
async def test_a_folder_in_other_case_or_with_other_blanks_is_used(
    theirs: str, world: Sandbox, client: FrameioClient, project: Project
) -> None:
    made = await make(world, world.root_folder_id, theirs)
    assert (await client.folders.ensure(project, ("2_FROM_ANIM",))).id == made
    assert calls(world, CREATE) == 1


async def test_of_twins_the_one_of_the_very_name_is_used(
    world: Sandbox, client: FrameioClient, project: Project
) -> None:
    await make(world, world.root_folder_id, "sq07")
    exact = await make(world, world.root_folder_id, "SQ07")
    assert (await client.folders.ensure(project, ("SQ07",))).id == exact


@pytest.mark.parametrize(("path", "which"), [(PATH, 1), (PATH, 3), (PATH[:2], 1), (PATH[:1], 1)])
async def test_a_deleted_folder_is_made_again_whatever_call_met_it_first(
    path: tuple[str, ...], which: int, world: Sandbox, client: FrameioClient, project: Project
) -> None:
    first = await client.folders.ensure(project, path)
    above = await client.folders.ensure(project, path[:which])
    await remove(world, above.id)
    looks: tuple[Callable[[Folder], Awaitable[object]], ...]
    looks = (client.folders.contents, client.folders.children)
    for look in looks:
        with pytest.raises(Fatal) as raised:
            await look(first)
        assert raised.value.code == "frameio.not_found"
        again = await client.folders.ensure(project, path)
        assert again.id != first.id
        await client.folders.contents(again)
        await remove(world, again.id)
        first = again
