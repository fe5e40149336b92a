"""Files: asked for once, whatever happens to the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from unicodedata import normalize

import httpx
import pytest
from aiohttp import web
from pydantic import SecretStr

from postflow.errors import Fatal, Retry
from postflow.frameio import FrameioClient
from postflow.frameio.client import Shared
from postflow.models import Folder, Project, RemoteFile
from postflow.sandbox import Sandbox
from tests.frameio.connecting import answering, calls, connected, raw
from tests.support.wait import wait_until

UPLOAD = "files.remote_upload"
NAME = "SQ07_UNDLM_00152_v003.mov"
BYTES = b"moov" * 2500


class Source:
    """A server that Frame.io can fetch from, and that counts its visitors."""

    def __init__(self) -> None:
        self.visits = 0
        self.url = SecretStr("")

    async def serve(self, _request: web.Request) -> web.Response:
        self.visits += 1
        return web.Response(body=BYTES, content_type="video/quicktime")


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    running = Source()
    app = web.Application()
    app.router.add_get("/{token}/clip.mov", running.serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    running.url = SecretStr(f"http://{host}:{port}/canary-5e1f/clip.mov")
    yield running
    await runner.cleanup()


@pytest.fixture
async def folder(client: FrameioClient, project: Project) -> Folder:
    return await client.folders.ensure(project, ("SQ07",))


async def upload(
    client: FrameioClient, folder: Folder, source: Source, **changes: object
) -> RemoteFile:
    given = {"known": frozenset[str](), **changes}
    return await client.files.remote_upload(folder, NAME, source.url, **given)  # type: ignore[arg-type]


async def arrived(client: FrameioClient, remote: RemoteFile) -> RemoteFile:
    for _ in range(500):
        if (await client.files.status(remote)).complete:
            return await client.files.show(remote.account_id, remote.id)
        await asyncio.sleep(0.01)
    raise AssertionError("The upload did not complete.")


async def ids_in(client: FrameioClient, folder: Folder) -> set[str]:
    found = await client.folders.children(folder)
    return {child.id for child in found.items}


async def files_named(client: FrameioClient, folder: Folder, name: str) -> list[RemoteFile]:
    found = await client.folders.contents(folder)
    return [file for file in found.files if file.name == normalize("NFC", name)]


async def test_a_file_is_fetched_and_shown(
    client: FrameioClient, folder: Folder, source: Source
) -> None:
    remote = await upload(client, folder, source, size=len(BYTES))
    assert (remote.name, remote.folder_id, remote.status) == (NAME, folder.id, "created")
    shown = await arrived(client, remote)
    assert (shown.id, shown.size) == (remote.id, len(BYTES))
    assert shown.view_url == remote.view_url
    assert await files_named(client, folder, NAME) == [shown] or shown.status == "uploaded"


async def test_a_clip_costs_three_calls_and_its_polls(
    world: Sandbox, client: FrameioClient, project: Project, folder: Folder, source: Source
) -> None:
    before = len(world.requests())
    await client.folders.ensure(project, folder.path)
    known = frozenset(file.id for file in await files_named(client, folder, NAME))
    await arrived(client, await upload(client, folder, source, known=known))
    ops = [request["op"] for request in world.requests()[before:]]
    assert sorted(op for op in ops if op != "files.status") == [
        UPLOAD,
        "files.show",
        "folders.children",
    ]


async def test_a_failed_upload_is_told_by_its_status(
    world: Sandbox, client: FrameioClient, folder: Folder, source: Source
) -> None:
    world.fault("upload_failed", where=UPLOAD)
    remote = await upload(client, folder, source)
    for _ in range(500):
        status = await client.files.status(remote)
        if status.failed:
            break
        await asyncio.sleep(0.01)
    assert status.failed
    assert not status.complete


async def test_all_files_of_a_name_are_found_on_all_pages(
    world: Sandbox, tmp_path: Path, client: FrameioClient, folder: Folder, source: Source
) -> None:
    ours = [await upload(client, folder, source) for _ in range(3)]
    for number in range(4):
        await client.files.remote_upload(
            folder, f"other{number}.mov", source.url, known=frozenset()
        )
    async with connected(world, tmp_path, shared=Shared(page_size=2)) as another:
        found = await files_named(another, folder, NAME)
    assert [file.id for file in found] == [file.id for file in ours]
    assert await files_named(client, folder, NAME.lower()) == []


async def test_a_name_in_another_unicode_form_is_the_same_name(
    client: FrameioClient, folder: Folder, source: Source
) -> None:
    remote = await client.files.remote_upload(
        folder, "e\u0301te\u0301.mov", source.url, known=frozenset()
    )
    assert remote.name == "\u00e9t\u00e9.mov"
    for name in ("e\u0301te\u0301.mov", "\u00e9t\u00e9.mov"):
        assert [file.id for file in await files_named(client, folder, name)] == [remote.id]


@pytest.mark.parametrize(
    "fault",
    [
        {"what": "lost_answer"},
        {"what": "lost_answer", "code": 502},
        {"what": "lost_answer", "code": 504},
        {"what": "lost_answer", "times": 2},
        {"what": "reset"},
        {"what": "reset", "times": 2},
        {"what": "status", "code": 500},
        {"what": "status", "code": 503, "times": 2},
        {"what": "rate_limited"},
        {"what": "rate_limited", "times": 4},
        {"what": "token_expiry"},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
async def test_whatever_happens_to_the_request_there_is_one_file(
    world: Sandbox,
    client: FrameioClient,
    folder: Folder,
    source: Source,
    fault: dict[str, Any],
) -> None:
    world.fault(where=UPLOAD, **fault)
    remote = await upload(client, folder, source)
    assert await ids_in(client, folder) == {remote.id}
    assert (await arrived(client, remote)).size == len(BYTES)


async def test_an_answer_that_takes_too_long_is_a_lost_one(
    world: Sandbox, tmp_path: Path, client: FrameioClient, folder: Folder, source: Source
) -> None:
    async with connected(world, tmp_path, timeout=1.0) as hasty:
        world.fault("delay", where=UPLOAD, seconds=600)
        remote = await upload(hasty, folder, source)
    world.release()
    await wait_until(lambda: calls(world, UPLOAD) == 2)
    assert remote.id in await ids_in(client, folder)


async def test_a_file_from_before_is_not_taken_for_ours(
    world: Sandbox, client: FrameioClient, folder: Folder, source: Source
) -> None:
    before = await upload(client, folder, source)
    world.fault("lost_answer", where=UPLOAD)
    ours = await upload(client, folder, source, known=frozenset({before.id}))
    assert ours.id != before.id
    assert await ids_in(client, folder) == {before.id, ours.id}


async def test_a_file_of_another_name_is_not_taken_for_ours(
    world: Sandbox, client: FrameioClient, folder: Folder, source: Source
) -> None:
    path = f"/v4/accounts/{folder.account_id}/folders/{folder.id}/files/remote_upload"
    data = {"name": "x" + NAME, "source_url": source.url.get_secret_value()}
    world.fault("reset", where=UPLOAD, skip=1)
    theirs = await raw(world, "POST", path, data)
    ours = await upload(client, folder, source)
    assert ours.name == NAME
    assert await ids_in(client, folder) == {theirs["id"], ours.id}


async def test_a_file_made_long_before_our_request_is_not_taken_for_ours() -> None:
    """Even where it was overlooked before: `known` may be older than the folder."""
    old = {
        "id": "old",
        "name": NAME,
        "type": "file",
        "parent_id": "f",
        "project_id": "p",
        "view_url": "https://next.example/old",
        "created_at": "2020-01-01T00:00:00Z",
        "file_size": 1,
        "status": "uploaded",
    }
    posts: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        date = {"date": format_datetime(datetime.now(UTC), usegmt=True)}
        if request.method == "GET":
            page = {"data": [old], "links": {"next": None}}
            return httpx.Response(200, headers=date, json=page)
        posts.append(request.url.path)
        if len(posts) == 1:
            return httpx.Response(502)
        return httpx.Response(202, json={"data": {**old, "id": "new"}})

    folder = Folder(id="f", account_id="a", project_id="p", path=("SQ07",))
    address = SecretStr("https://studio.example/clip.mov")
    async with answering(answer) as client:
        await client.folders.contents(folder)
        remote = await client.files.remote_upload(folder, NAME, address, known=frozenset())
    assert remote.id == "new"


async def test_uploads_of_one_name_at_once_do_not_adopt_each_others_file(
    world: Sandbox, client: FrameioClient, folder: Folder, source: Source
) -> None:
    world.fault("lost_answer", where=UPLOAD, times=3)
    files = await asyncio.gather(*(upload(client, folder, source) for _ in range(6)))
    assert {file.id for file in files} == await ids_in(client, folder)
    assert len({file.id for file in files}) == 6


async def test_frameio_that_numbers_names_that_are_taken_is_understood(
    tmp_path: Path, source: Source
) -> None:
    with Sandbox(duplicate_files="rename", rate_scale=100) as world:
        async with connected(world, tmp_path) as client:
            project = await client.projects.find(world.project_id)
            folder = await client.folders.ensure(project, ())
            first = await upload(client, folder, source)
            world.fault("lost_answer", where=UPLOAD)
            second = await upload(client, folder, source, known=frozenset({first.id}))
            assert second.name == NAME.replace(".mov", " (1).mov")
            assert await ids_in(client, folder) == {first.id, second.id}


async def test_a_visited_address_is_never_given_again(
    world: Sandbox, client: FrameioClient, folder: Folder, source: Source
) -> None:
    """The list shows nothing yet, but our own server was visited: it did take effect."""
    world.fault("reset", where=UPLOAD)
    with pytest.raises(Retry) as raised:
        await upload(client, folder, source, took_effect=lambda: True)
    assert raised.value.code == "frameio.unsettled"
    assert calls(world, UPLOAD) == 1


async def test_no_answer_at_all_is_given_up_and_can_be_retried(
    world: Sandbox, client: FrameioClient, folder: Folder, source: Source
) -> None:
    world.fault("reset", where=UPLOAD, times=3)
    with pytest.raises(Retry) as raised:
        await upload(client, folder, source)
    assert raised.value.code == "frameio.unsettled"
    assert calls(world, UPLOAD) == 3
    assert await ids_in(client, folder) == set()


async def test_a_looking_that_fails_does_not_ask_again(
    world: Sandbox, client: FrameioClient, folder: Folder, source: Source
) -> None:
    world.fault("lost_answer", where=UPLOAD)
    world.fault("status", where="folders.files", code=503, times=5)
    with pytest.raises(Retry) as raised:
        await upload(client, folder, source)
    assert raised.value.code == "frameio.busy"
    assert calls(world, UPLOAD) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"size": 50 * 10**9 + 1}, "frameio.too_large")],
)
async def test_what_frameio_cannot_take_is_refused_before_asking(
    world: Sandbox,
    client: FrameioClient,
    folder: Folder,
    source: Source,
    changes: dict[str, int],
    code: str,
) -> None:
    with pytest.raises(Fatal) as raised:
        await upload(client, folder, source, **changes)
    assert raised.value.code == code
    assert raised.value.hint
    assert calls(world, UPLOAD) == 0


@pytest.mark.parametrize("name", ["", "x" * 256])
async def test_a_name_frameio_cannot_take_is_refused_before_asking(
    world: Sandbox, client: FrameioClient, folder: Folder, source: Source, name: str
) -> None:
    with pytest.raises(Fatal) as raised:
        await client.files.remote_upload(folder, name, source.url, known=frozenset())
    assert raised.value.code == "frameio.bad_name"
    assert calls(world, UPLOAD) == 0


async def test_an_address_frameio_refuses_is_explained_but_not_shown(
    client: FrameioClient, folder: Folder
) -> None:
    with pytest.raises(Fatal) as raised:
        await client.files.remote_upload(
            folder, NAME, SecretStr("ftp://canary-77/a.mov"), known=frozenset()
        )
    assert raised.value.code == "frameio.refused"
    assert "/data/source_url" in raised.value.message
    assert "canary" not in str(raised.value)


async def test_a_file_can_be_deleted_more_than_once(
    world: Sandbox, client: FrameioClient, folder: Folder, source: Source
) -> None:
    remote = await upload(client, folder, source)
    world.fault("lost_answer", where="files.delete")
    await client.files.delete(remote)
    await client.files.delete(remote)
    assert await ids_in(client, folder) == set()


async def test_a_file_that_is_gone_is_named_as_such(
    client: FrameioClient, folder: Folder, source: Source
) -> None:
    remote = await upload(client, folder, source)
    await client.files.delete(remote)
    for ask in (client.files.status(remote), client.files.show(remote.account_id, remote.id)):
        with pytest.raises(Fatal) as raised:
            await ask
        assert raised.value.code == "frameio.not_found"


async def test_a_file_moves_to_another_folder_once(
    world: Sandbox, client: FrameioClient, project: Project, folder: Folder, source: Source
) -> None:
    remote = await upload(client, folder, source)
    target = await client.folders.ensure(project, ("SQ08",))
    world.fault("lost_answer", where="files.move")
    world.fault("status", where="files.move", code=422, skip=1)
    moved = await client.files.move(remote, target.id)
    assert moved.folder_id == target.id
    assert await ids_in(client, target) == {remote.id}
    assert await raw(world, "GET", f"/v4/accounts/{folder.account_id}/files/{remote.id}")
