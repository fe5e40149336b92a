"""People rename, move and delete things in Frame.io; what we made is found again by its id."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
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
NOTHING = Found(remote=None, known=frozenset(), alone=True)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[AsyncLedger]:
    async with open_ledger(tmp_path / "ledger.db") as opened:
        yield opened


@pytest.fixture
async def media(tmp_path: Path) -> MediaFile:
    path = tmp_path / NAME
    path.write_bytes(BODY)
    return await probe_media(path)


@dataclass
class Shot:
    """A shot's folder, and what lies in it."""

    world: Sandbox
    client: FrameioClient
    folder: Folder
    media: MediaFile
    source_url: SecretStr
    state: Path

    async def placeholder(self, name: str = NAME) -> RemoteFile:
        return await self.client.files.remote_upload(
            self.folder, name, self.source_url, known=frozenset()
        )

    async def begun(self, name: str = NAME) -> RemoteFile:
        """A placeholder that gets no bytes."""
        self.world.fault("delay", where="fetch", seconds=600)
        return await self.placeholder(name)

    async def whole(self, name: str = NAME) -> RemoteFile:
        remote = await self.placeholder(name)
        await wait_until(lambda: self._status(remote) != "created")
        return remote

    def _status(self, remote: RemoteFile) -> str:
        return next(str(a["status"]) for a in self.world.assets() if a["id"] == remote.id)

    async def delivered(self, *numbers: int) -> dict[str, str]:
        """Names by ids, as the ledger knows them."""
        names = [f"{STACK}_v{number:03}.mov" for number in numbers]
        return {(await self.whole(name)).id: name for name in names}

    async def find(self, past: Past | None = None, media: MediaFile | None = None) -> Found:
        group = VersionGroup(NAMING, STACK)
        return await find_delivered(
            self.client, self.folder, media or self.media, group, past or Past()
        )

    async def stacked(self, group: VersionGroup) -> tuple[str, list[str]]:
        """The stack that is made of the group, and its versions."""
        made = await stack_versions(self.client, group, self.folder)
        assert made is not None
        stack = made.stack
        return stack.id, [file.id for file in await self.client.stacks.versions(stack)]

    @asynccontextmanager
    async def seen_with(self, only: str = "", **changed: object) -> AsyncIterator[Shot]:
        """The same by a client to whom files are told otherwise."""
        transport = Altered(changing("file", **changed), only=only)
        async with connected(self.world, self.state, transport=transport) as client:
            yield replace(self, client=client)


@pytest.fixture
async def shot(
    world: Sandbox,
    client: FrameioClient,
    project: Project,
    media: MediaFile,
    source_url: SecretStr,
    tmp_path: Path,
) -> Shot:
    folder = await client.folders.ensure(project, PATH)
    return Shot(world, client, folder, media, source_url, tmp_path)


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
    assert calls(world, "folders.show") == 1, "the folder above names what is still in it"


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


@pytest.mark.parametrize("what", ["renamed", "moved", "both"])
async def test_a_file_of_ours_is_not_sent_again_because_people_touched_it(
    what: str, shot: Shot, project: Project, person: Person
) -> None:
    remote = await shot.whole()
    if what != "moved":
        await person.rename("files", remote.id, "the chase, final.mov")
    if what != "renamed":
        await person.move("files", remote.id, project.root_folder_id)
    past = Past(same={remote.id: len(BODY)})
    found = await shot.find(past)
    assert found.remote is not None
    assert found.remote.id == remote.id
    await person.delete("files", remote.id)
    assert (await shot.find(past)).remote is None


STALE = {"status": "created", "file_size": 0}


async def test_a_list_that_is_older_than_the_status_deletes_nothing(shot: Shot) -> None:
    remote = await shot.whole()
    async with shot.seen_with(only="/children", **STALE) as late:
        found = await late.find()
    assert found.remote is not None
    assert found.remote.id == remote.id
    assert found.remote.size == shot.media.size
    assert calls(shot.world, "files.delete") == 0


async def test_what_became_another_upload_meanwhile_is_not_ours_to_delete(shot: Shot) -> None:
    theirs = await shot.whole()
    longer = shot.media.model_copy(update={"size": shot.media.size + 1})
    async with shot.seen_with(only="/children", **STALE) as late:
        found = await late.find(media=longer)
    assert (found.remote, found.known, found.alone) == (None, frozenset({theirs.id}), False)
    assert calls(shot.world, "files.delete") == 0


async def test_what_was_deleted_between_two_looks_is_gone_and_no_fault(shot: Shot) -> None:
    await shot.whole()
    shot.world.fault("status", where="files.show", code=404)
    assert await shot.find() == NOTHING


async def test_a_size_that_is_not_told_is_no_other_clip_and_no_second_one_either(
    shot: Shot,
) -> None:
    remote = await shot.whole()
    async with shot.seen_with(file_size=None) as other:
        with pytest.raises(Retry):
            await other.find()
        found = await other.find(Past(same={remote.id: len(BODY)}))
    assert found.remote is not None
    assert calls(shot.world, "files.delete") == 0


async def test_an_upload_of_a_person_is_not_removed_though_it_failed(shot: Shot) -> None:
    shot.world.fault("upload_failed", "files.remote_upload")
    theirs = await shot.placeholder()
    await wait_until(lambda: shot.world.assets()[0]["upload_failed"])
    assert (await shot.find()).known == {theirs.id}
    assert calls(shot.world, "files.delete") == 0
    assert await shot.find(Past(file_id=theirs.id)) == NOTHING
    assert calls(shot.world, "files.delete") == 1


async def assert_waited_for(shot: Shot, past: Past, media: MediaFile | None = None) -> None:
    with pytest.raises(Retry) as caught:
        await shot.find(past, media)
    assert caught.value.code == "frameio.in_progress"
    assert calls(shot.world, "files.delete") == 0


@pytest.mark.parametrize("minutes", [-30, -1, 30])
async def test_only_what_came_as_a_dead_run_asked_is_taken_for_its_placeholder(
    minutes: int, shot: Shot
) -> None:
    left = await shot.begun()
    past = Past(begun_at=left.created_at + timedelta(minutes=minutes))
    if minutes == -1:
        assert (await shot.find(past)).known == frozenset()
        assert calls(shot.world, "files.delete") == 1
    else:
        await assert_waited_for(shot, past)


async def test_the_same_clip_on_its_way_from_another_path_is_waited_for(shot: Shot) -> None:
    """Also when the copy is younger than that file, and when its own run was dead meanwhile."""
    theirs = await shot.begun()
    copy = shot.media.model_copy(update={"mtime_ns": shot.media.mtime_ns + 3_600 * 10**9})
    past = Past(travelling=frozenset({theirs.id}), begun_at=theirs.created_at)
    await assert_waited_for(shot, past, copy)


async def test_a_version_joins_its_renamed_brother(shot: Shot, person: Person) -> None:
    ours = await shot.delivered(2, 1)
    second, first = ours
    await person.rename("files", second, "the chase.mov")
    _, versions = await shot.stacked(VersionGroup(NAMING, STACK, ours=ours))
    assert versions == [first, second]


@pytest.mark.parametrize("what", ["head renamed", "stack moved", "both"])
async def test_a_version_joins_the_stack_wherever_people_have_put_it(
    what: str, shot: Shot, project: Project, person: Person
) -> None:
    ours = await shot.delivered(1, 2)
    stack = await shot.client.stacks.create(shot.folder, tuple(ours))
    if what != "stack moved":
        await person.rename("files", tuple(ours)[-1], "the chase.mov")
    if what != "head renamed":
        await person.move("version_stacks", stack.id, project.root_folder_id)
    ours |= await shot.delivered(3)
    group = VersionGroup(NAMING, STACK, ours=ours, stack_id=stack.id)
    assert await shot.stacked(group) == (stack.id, list(ours))


async def test_a_stack_that_is_gone_is_made_again(shot: Shot) -> None:
    ours = await shot.delivered(1, 2)
    nowhere = "00000000-0000-4000-8000-000000000000"
    _, versions = await shot.stacked(VersionGroup(NAMING, STACK, ours=ours, stack_id=nowhere))
    assert versions == list(ours)


async def test_only_whole_files_are_stacked_also_where_nobody_knows_the_status(
    shot: Shot,
) -> None:
    ours = await shot.delivered(1, 2)
    await shot.begun(f"{STACK}_v003.mov")
    async with shot.seen_with(status="processing") as other:
        _, versions = await other.stacked(VersionGroup(NAMING, STACK))
    assert versions == list(ours)
