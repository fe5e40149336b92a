"""People rename, move and delete things in Frame.io; what we made is found again by its id."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from postflow.delivery.adoption import Found, Past, find_delivered
from postflow.delivery.stacking import VersionGroup, stack_versions
from postflow.errors import Retry
from postflow.frameio import FrameioClient
from postflow.frameio.client import Shared
from postflow.ledger import AsyncLedger, open_ledger
from postflow.media.probe import probe_media
from postflow.models import Folder, MediaFile, Project, RemoteFile
from postflow.naming import Naming
from postflow.sandbox import Sandbox
from postflow.tasks.place import folder_at
from tests.frameio.altered import Altered, changing
from tests.frameio.connecting import calls, connected, project_of, raw
from tests.support.wait import wait_until

PATH = ("2_FROM_ANIM", "SQ07", "UNDLM_00152")
STACK = "SQ07_UNDLM_00152"
NAME = "SQ07_UNDLM_00152_v003.mov"
BODY = b"moov"
NAMING = Naming.preset("undlm")


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[AsyncLedger]:
    async with open_ledger(tmp_path / "ledger.db") as opened:
        yield opened


@pytest.fixture
async def media(tmp_path: Path) -> MediaFile:
    path = tmp_path / NAME
    path.write_bytes(BODY)
    return await probe_media(path)


@pytest.fixture
async def folder(client: FrameioClient, project: Project) -> Folder:
    return await client.folders.ensure(project, PATH)


async def whole(
    world: Sandbox, client: FrameioClient, folder: Folder, name: str, source_url: SecretStr
) -> RemoteFile:
    remote = await client.files.remote_upload(folder, name, source_url, known=frozenset())
    await wait_until(
        lambda: any(a["id"] == remote.id and a["status"] != "created" for a in world.assets())
    )
    return remote


class Person:
    """Somebody at Frame.io's own page."""

    def __init__(self, world: Sandbox) -> None:
        self._world = world
        self._account = f"/v4/accounts/{world.account_id}"

    async def rename(self, kind: str, its_id: str, name: str) -> None:
        await raw(self._world, "PATCH", f"{self._account}/{kind}/{its_id}", {"name": name})

    async def move(self, kind: str, its_id: str, to: str) -> None:
        path = f"{self._account}/{kind}/{its_id}/move"
        await raw(self._world, "PATCH", path, {"parent_id": to})

    async def delete(self, kind: str, its_id: str) -> None:
        await raw(self._world, "DELETE", f"{self._account}/{kind}/{its_id}")


@pytest.fixture
def person(world: Sandbox) -> Person:
    return Person(world)


class Place:
    """`place` in a process that has just begun: it remembers only what the ledger does."""

    def __init__(self, world: Sandbox, ledger: AsyncLedger, folder: Path) -> None:
        self._world = world
        self._ledger = ledger
        self._folder = folder

    async def at(self, *path: str) -> Folder:
        async with connected(self._world, self._folder, shared=Shared()) as client:
            return await folder_at(self._ledger, client, project_of(self._world), path)


@pytest.fixture
def place(world: Sandbox, ledger: AsyncLedger, tmp_path: Path) -> Place:
    return Place(world, ledger, tmp_path)


async def test_a_folder_that_people_renamed_or_moved_is_the_shots_all_the_same(
    place: Place, person: Person, world: Sandbox
) -> None:
    first = await place.at(*PATH)
    await person.rename("folders", first.id, "152 - the chase")
    assert (await place.at(*PATH)).id == first.id
    await person.move("folders", first.id, world.root_folder_id)
    assert (await place.at(*PATH)).id == first.id
    assert calls(world, "folders.create") == 3
    assert calls(world, "folders.show") == 2


async def test_a_new_shot_goes_into_the_sequence_that_people_renamed(
    place: Place, person: Person, world: Sandbox
) -> None:
    await place.at(*PATH)
    sequence = await place.at(*PATH[:2])
    await person.rename("folders", sequence.id, "Sequence 7")
    other = await place.at(*PATH[:2], "UNDLM_00153")
    (made,) = [each for each in world.folders() if each["id"] == other.id]
    assert "Sequence 7" in str(made)
    assert calls(world, "folders.create") == 4


@pytest.mark.parametrize("depth", [1, 2, 3])
async def test_what_is_gone_is_made_again_and_known_from_then_on(
    depth: int, place: Place, person: Person
) -> None:
    first = await place.at(*PATH)
    await person.delete("folders", (await place.at(*PATH[:depth])).id)
    again = await place.at(*PATH)
    assert again.id != first.id
    await person.rename("folders", again.id, "renamed")
    assert (await place.at(*PATH)).id == again.id


async def find(
    client: FrameioClient, folder: Folder, media: MediaFile, past: Past | None = None
) -> Found:
    return await find_delivered(client, folder, media, VersionGroup(NAMING, STACK), past or Past())


@pytest.mark.parametrize("what", ["renamed", "moved", "both"])
async def test_a_file_of_ours_is_not_sent_again_because_people_touched_it(
    what: str,
    world: Sandbox,
    client: FrameioClient,
    project: Project,
    folder: Folder,
    person: Person,
    media: MediaFile,
    source_url: SecretStr,
) -> None:
    remote = await whole(world, client, folder, NAME, source_url)
    if what != "moved":
        await person.rename("files", remote.id, "the chase, final.mov")
    if what != "renamed":
        await person.move("files", remote.id, project.root_folder_id)
    past = Past(same={remote.id: len(BODY)})
    found = await find(client, folder, media, past)
    assert found.remote is not None
    assert found.remote.id == remote.id
    await person.delete("files", remote.id)
    assert (await find(client, folder, media, past)).remote is None


STALE = {"status": "created", "file_size": 0}


async def test_a_list_that_is_older_than_the_status_deletes_nothing(
    world: Sandbox,
    client: FrameioClient,
    folder: Folder,
    media: MediaFile,
    source_url: SecretStr,
    tmp_path: Path,
) -> None:
    remote = await whole(world, client, folder, NAME, source_url)
    transport = Altered(changing("file", **STALE), only="/children")
    async with connected(world, tmp_path, transport=transport) as late:
        found = await find(late, folder, media)
    assert found.remote is not None
    assert found.remote.id == remote.id
    assert found.remote.size == media.size
    assert calls(world, "files.delete") == 0


async def test_what_became_another_upload_meanwhile_is_not_ours_to_delete(
    world: Sandbox,
    client: FrameioClient,
    folder: Folder,
    media: MediaFile,
    source_url: SecretStr,
    tmp_path: Path,
) -> None:
    theirs = await whole(world, client, folder, NAME, source_url)
    longer = media.model_copy(update={"size": media.size + 1})
    transport = Altered(changing("file", **STALE), only="/children")
    async with connected(world, tmp_path, transport=transport) as late:
        found = await find(late, folder, longer)
    assert (found.remote, found.known, found.alone) == (None, {theirs.id}, False)
    assert calls(world, "files.delete") == 0


async def test_what_was_deleted_between_two_looks_is_gone_and_no_fault(
    world: Sandbox,
    client: FrameioClient,
    folder: Folder,
    media: MediaFile,
    source_url: SecretStr,
) -> None:
    await whole(world, client, folder, NAME, source_url)
    world.fault("status", where="files.show", code=404)
    assert await find(client, folder, media) == Found(remote=None, known=frozenset(), alone=True)


async def test_a_size_that_is_not_told_is_no_other_clip_and_no_second_one_either(
    world: Sandbox,
    client: FrameioClient,
    folder: Folder,
    media: MediaFile,
    source_url: SecretStr,
    tmp_path: Path,
) -> None:
    remote = await whole(world, client, folder, NAME, source_url)
    async with connected(
        world, tmp_path, transport=Altered(changing("file", file_size=None))
    ) as other:
        with pytest.raises(Retry):
            await find(other, folder, media)
        found = await find(other, folder, media, Past(same={remote.id: len(BODY)}))
    assert found.remote is not None
    assert calls(world, "files.delete") == 0


async def begun(
    world: Sandbox, client: FrameioClient, folder: Folder, source_url: SecretStr
) -> RemoteFile:
    """A placeholder without bytes."""
    world.fault("delay", where="fetch", seconds=600)
    return await client.files.remote_upload(folder, NAME, source_url, known=frozenset())


async def test_an_upload_of_a_person_is_not_removed_though_it_failed(
    world: Sandbox,
    client: FrameioClient,
    folder: Folder,
    media: MediaFile,
    source_url: SecretStr,
) -> None:
    world.fault("upload_failed", "files.remote_upload")
    theirs = await client.files.remote_upload(folder, NAME, source_url, known=frozenset())
    await wait_until(lambda: world.assets()[0]["upload_failed"])
    assert (await find(client, folder, media)).known == {theirs.id}
    assert calls(world, "files.delete") == 0
    ours = Past(file_id=theirs.id)
    assert await find(client, folder, media, ours) == Found(
        remote=None, known=frozenset(), alone=True
    )
    assert calls(world, "files.delete") == 1


@pytest.mark.parametrize("minutes", [-30, -1, 30])
async def test_only_what_came_as_a_dead_run_asked_is_taken_for_its_placeholder(
    minutes: int,
    world: Sandbox,
    client: FrameioClient,
    folder: Folder,
    media: MediaFile,
    source_url: SecretStr,
) -> None:
    left = await begun(world, client, folder, source_url)
    past = Past(begun_at=left.created_at + timedelta(minutes=minutes))
    if minutes == -1:
        assert (await find(client, folder, media, past)).known == frozenset()
        assert calls(world, "files.delete") == 1
        return
    with pytest.raises(Retry) as caught:
        await find(client, folder, media, past)
    assert caught.value.code == "frameio.in_progress"
    assert calls(world, "files.delete") == 0


async def test_the_same_clip_on_its_way_from_another_path_is_waited_for(
    world: Sandbox,
    client: FrameioClient,
    folder: Folder,
    media: MediaFile,
    source_url: SecretStr,
) -> None:
    """Also when the copy is younger than that file, and when its own run was dead meanwhile."""
    theirs = await begun(world, client, folder, source_url)
    copy = media.model_copy(update={"mtime_ns": media.mtime_ns + 3_600 * 10**9})
    past = Past(travelling=frozenset({theirs.id}), begun_at=theirs.created_at)
    with pytest.raises(Retry) as caught:
        await find(client, folder, copy, past)
    assert caught.value.code == "frameio.in_progress"
    assert calls(world, "files.delete") == 0


async def delivered(
    world: Sandbox, client: FrameioClient, folder: Folder, source_url: SecretStr, *numbers: int
) -> dict[str, str]:
    """Names by ids, as the ledger knows them."""
    names = [f"{STACK}_v{number:03}.mov" for number in numbers]
    return {(await whole(world, client, folder, name, source_url)).id: name for name in names}


async def test_a_version_joins_its_renamed_brother(
    world: Sandbox,
    client: FrameioClient,
    folder: Folder,
    person: Person,
    source_url: SecretStr,
) -> None:
    ours = await delivered(world, client, folder, source_url, 2, 1)
    second, first = ours
    await person.rename("files", second, "the chase.mov")
    stack = await stack_versions(client, VersionGroup(NAMING, STACK, ours=ours), folder)
    assert stack is not None
    assert [file.id for file in await client.stacks.versions(stack)] == [first, second]


@pytest.mark.parametrize("what", ["head renamed", "stack moved", "both"])
async def test_a_version_joins_the_stack_wherever_people_have_put_it(
    what: str,
    world: Sandbox,
    client: FrameioClient,
    project: Project,
    folder: Folder,
    person: Person,
    source_url: SecretStr,
) -> None:
    ours = await delivered(world, client, folder, source_url, 1, 2)
    stack = await client.stacks.create(folder, tuple(ours))
    if what != "stack moved":
        await person.rename("files", tuple(ours)[-1], "the chase.mov")
    if what != "head renamed":
        await person.move("version_stacks", stack.id, project.root_folder_id)
    ours |= await delivered(world, client, folder, source_url, 3)
    group = VersionGroup(NAMING, STACK, ours=ours, stack_id=stack.id)
    again = await stack_versions(client, group, folder)
    assert again is not None
    assert again.id == stack.id
    assert [file.id for file in await client.stacks.versions(stack)] == list(ours)


async def test_a_stack_that_is_gone_is_made_again(
    world: Sandbox, client: FrameioClient, folder: Folder, source_url: SecretStr
) -> None:
    ours = await delivered(world, client, folder, source_url, 1, 2)
    nowhere = "00000000-0000-4000-8000-000000000000"
    group = VersionGroup(NAMING, STACK, ours=ours, stack_id=nowhere)
    stack = await stack_versions(client, group, folder)
    assert stack is not None
    assert [file.id for file in await client.stacks.versions(stack)] == list(ours)


async def test_only_whole_files_are_stacked_also_where_nobody_knows_the_status(
    world: Sandbox,
    client: FrameioClient,
    folder: Folder,
    source_url: SecretStr,
    tmp_path: Path,
) -> None:
    ours = await delivered(world, client, folder, source_url, 1, 2)
    world.fault("delay", where="fetch", seconds=600)
    await client.files.remote_upload(folder, f"{STACK}_v003.mov", source_url, known=frozenset())
    transport = Altered(changing("file", status="processing"))
    async with connected(world, tmp_path, transport=transport) as other:
        stack = await stack_versions(other, VersionGroup(NAMING, STACK), folder)
        assert stack is not None
        assert [file.id for file in await other.stacks.versions(stack)] == list(ours)
