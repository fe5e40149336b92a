"""Frame.io adds values, kinds and fields, and leaves others out: that is no fault of anybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from postflow.delivery.adoption import Past, find_delivered
from postflow.delivery.stacking import VersionGroup
from postflow.errors import Retry
from postflow.frameio import FrameioClient
from postflow.frameio.models import UploadStatus
from postflow.media.probe import probe_media
from postflow.models import Folder, MediaFile, Project
from postflow.naming import Naming
from postflow.sandbox import Sandbox
from tests.frameio.altered import Alter, Altered, changing
from tests.frameio.connecting import calls, connected, folder_names, raw

NAME = "SQ07_UNDLM_00152_v003.mov"
NOWHERE = SecretStr("http://127.0.0.1:9/clip.mov")


@pytest.fixture
async def folder(client: FrameioClient, project: Project) -> Folder:
    return await client.folders.ensure(project, ("SQ07",))


@pytest.fixture
async def media(tmp_path: Path) -> MediaFile:
    path = tmp_path / NAME
    path.write_bytes(b"moov")
    return await probe_media(path)


def named(name: str, **values: object) -> Alter:
    """Alters the one thing of that name."""

    def alter(asset: dict[str, Any]) -> None:
        if asset.get("name") == name:
            asset.update(values)

    return alter


ODD_FILES = [
    {"status": "processing"},
    {"status": None},
    {"status": ...},
    {"file_size": None},
    {"parent_id": None, "project_id": None, "view_url": None},
    {"media_type": 7, "adobe_version_id": [1], "something": {"new": True}},
    {"created_at": "2026-01-01T00:00:00"},
]


@pytest.mark.parametrize("odd", ODD_FILES, ids=lambda odd: "-".join(odd))
async def test_a_file_is_read_whatever_is_new_about_it(
    odd: dict[str, object], world: Sandbox, client: FrameioClient, folder: Folder, tmp_path: Path
) -> None:
    remote = await client.files.remote_upload(folder, NAME, NOWHERE, known=frozenset())
    async with connected(world, tmp_path, transport=Altered(changing("file", **odd))) as odd_one:
        (listed,) = (await odd_one.folders.contents(folder)).files
        shown = await odd_one.files.show(folder.account_id, remote.id)
        assert listed.id == shown.id == remote.id
        assert shown.view_url.endswith(remote.id)
        assert shown.created_at.tzinfo


ODD_CHILDREN: list[dict[str, object]] = [
    {"type": "canvas"},
    {"type": None},
    {"created_at": None},
    {"created_at": "yesterday"},
    {"id": None},
    {"id": 7},
]


@pytest.mark.parametrize("odd", ODD_CHILDREN, ids=str)
async def test_an_odd_child_blocks_no_folder_but_is_not_taken_for_absent_either(
    odd: dict[str, object],
    world: Sandbox,
    client: FrameioClient,
    folder: Folder,
    media: MediaFile,
    tmp_path: Path,
) -> None:
    naming = Naming.preset("undlm")
    group = VersionGroup(naming, naming.identify(NAME).stack)
    for name in ("note.mov", "note.mov"):
        await client.files.remote_upload(folder, name, NOWHERE, known=frozenset())
    async with connected(world, tmp_path, transport=Altered(named("note.mov", **odd))) as other:
        assert (await find_delivered(other, folder, media, group, Past())).remote is None
    await client.files.remote_upload(folder, NAME, NOWHERE, known=frozenset())
    async with connected(world, tmp_path, transport=Altered(named(NAME, **odd))) as other:
        with pytest.raises(Retry) as raised:
            await find_delivered(other, folder, media, group, Past())
    assert raised.value.code == "frameio.unknown_item"


@pytest.mark.parametrize("odd", [{"created_at": None}, {"id": None}], ids=str)
async def test_a_folder_that_cannot_be_read_is_not_made_a_second_time(
    odd: dict[str, object], world: Sandbox, project: Project, client: FrameioClient, tmp_path: Path
) -> None:
    await client.folders.ensure(project, ("SQ07",))
    async with connected(world, tmp_path, transport=Altered(named("SQ07", **odd))) as other:
        assert (await other.folders.ensure(project, ("SQ08",))).path == ("SQ08",)
        with pytest.raises(Retry) as raised:
            await other.folders.ensure(project, ("SQ07",))
    assert raised.value.code == "frameio.unknown_item"
    assert await folder_names(world) == {"SQ07", "SQ08"}


async def test_a_lost_answer_and_a_list_that_cannot_be_read_make_no_second_file(
    world: Sandbox, folder: Folder, tmp_path: Path
) -> None:
    world.fault("lost_answer", where="files.remote_upload")
    alter = named(NAME, created_at=None)
    async with connected(world, tmp_path, transport=Altered(alter)) as other:
        with pytest.raises(Retry):
            await other.files.remote_upload(folder, NAME, NOWHERE, known=frozenset())
    assert calls(world, "files.remote_upload") == 1


@pytest.mark.parametrize(
    ("said", "complete", "failed"),
    [
        ({}, False, False),
        ({"upload_complete": None, "upload_failed": None}, False, False),
        ({"upload_complete": "done"}, False, False),
        ({"upload_complete": True, "uploaded_at": "a while ago"}, True, False),
        ({"upload_completed_at": "2026-11-01T10:00:00Z"}, True, False),
        ({"upload_complete": True, "upload_failed": True}, True, False),
        ({"upload_failed": True, "phase": "ended"}, False, True),
    ],
    ids=str,
)
def test_a_status_says_only_what_it_certainly_says(
    said: dict[str, object], complete: bool, failed: bool
) -> None:
    status = UploadStatus.model_validate(said)
    assert (status.complete, status.failed) == (complete, failed)


@pytest.mark.parametrize(
    "odd",
    [
        {"name": None, "email": None, "display_name": None, "roles": None},
        {"account_id": None, "workspace_id": None, "status": None, "storage": "much"},
    ],
    ids=str,
)
async def test_accounts_and_projects_may_lack_what_is_not_needed(
    odd: dict[str, object], world: Sandbox, tmp_path: Path
) -> None:
    def alter(place: dict[str, Any]) -> None:
        place.update({key: value for key, value in odd.items() if key in place})

    async with connected(world, tmp_path, transport=Altered(alter)) as client:
        assert (await client.accounts.me()).id
        assert [account.id for account in await client.accounts.all()] == [world.account_id]
        project = await client.projects.find(world.project_id)
        assert project.root_folder_id == world.root_folder_id


async def test_an_odd_project_hides_no_other(world: Sandbox, tmp_path: Path) -> None:
    path = f"/v4/accounts/{world.account_id}/workspaces/{world.workspace_id}/projects"
    await raw(world, "POST", path, {"name": "ODD"})
    alter = named("ODD", root_folder_id=None)
    async with connected(world, tmp_path, transport=Altered(alter)) as client:
        assert (await client.projects.find(world.project_name)).id == world.project_id
