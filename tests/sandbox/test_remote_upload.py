"""remote_upload really fetches, and tells what came of it in the one place that does."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from postflow.sandbox import Sandbox
from postflow.sandbox.fetching import FETCH_STYLES
from tests.sandbox.caller import Caller, Source, asset, wait_for_status
from tests.support.wait import wait_until_sync


def test_file_is_fetched_stored_and_transcoded(
    world: Sandbox, caller: Caller, source: Source
) -> None:
    folder = caller.folder("SQ07", caller.folder("2_FROM_ANIM"))

    row = wait_for_status(world, caller.upload(folder, "clip.mov", source.url), "transcoded")

    assert row["path"] == "2_FROM_ANIM/SQ07/clip.mov"
    assert row["size"] == len(source.body)
    assert row["sha256"] == hashlib.sha256(source.body).hexdigest()
    assert (row["folder_id"], row["created"]) == (folder, 1)


def test_answer_is_202_with_a_file_that_has_nothing_yet(
    world: Sandbox, caller: Caller, source: Source
) -> None:
    path = f"/folders/{world.root_folder_id}/files/remote_upload"

    answer = caller.post(path, name="clip.mov", source_url=source.url)

    file = answer.json()["data"]
    assert answer.status_code == 202
    assert (file["status"], file["media_type"], file["file_size"]) == ("created", None, 0)
    assert file["view_url"] == f"{world.url}/project/{world.project_id}/view/{file['id']}"
    assert answer.json()["links"] == {"status": f"{caller.account}/files/{file['id']}/status"}


def test_status_tells_of_the_upload_with_every_required_key(
    world: Sandbox, caller: Caller, source: Source
) -> None:
    file = caller.upload(world.root_folder_id, "clip.mov", source.url)
    wait_for_status(world, file, "transcoded")

    status = caller.status(file)

    assert (status["upload_complete"], status["upload_failed"]) == (True, False)
    assert status["uploaded_at"] < status["upload_completed_at"]
    assert (status["id"], status["filetype"]) == (file, "video/quicktime")


@pytest.mark.parametrize("style", FETCH_STYLES)
def test_every_style_of_fetching_brings_the_same_bytes(style: str, source: Source) -> None:
    with Sandbox(fetch_style=style) as world, Caller(world) as caller:
        file = caller.upload(world.root_folder_id, "clip.mov", source.url)
        row = wait_for_status(world, file, "transcoded")

    assert row["sha256"] == hashlib.sha256(source.body).hexdigest()
    assert source.agents == {"sandbox-fetcher/1.0"}


def test_source_that_refuses_ends_as_upload_failed(
    world: Sandbox, caller: Caller, source: Source
) -> None:
    """The file's own status has no word for it: it stays `created`."""
    source.status = 404
    file = caller.upload(world.root_folder_id, "clip.mov", source.url)

    wait_until_sync(lambda: caller.status(file)["upload_failed"])

    assert caller.file(file)["status"] == "created"
    assert caller.status(file)["upload_complete"] is False


def test_what_arrives_is_what_is_stored(world: Sandbox, caller: Caller, source: Source) -> None:
    """A web page in the place of a clip becomes the clip: nobody looks inside."""
    source.body = b"<html>Are you sure?</html>"

    row = wait_for_status(
        world, caller.upload(world.root_folder_id, "clip.mov", source.url), "transcoded"
    )

    assert row["size"] == len(source.body)


def test_file_over_the_limit_fails_by_default(source: Source) -> None:
    with Sandbox(size_limit=len(source.body) - 1) as world, Caller(world) as caller:
        file = caller.upload(world.root_folder_id, "clip.mov", source.url)
        wait_until_sync(lambda: asset(world, file)["upload_failed"])


def test_switch_refuses_a_file_over_the_limit_at_once(source: Source) -> None:
    switches: dict[str, Any] = {"size_limit": len(source.body) - 1, "too_big": "refuse"}
    with Sandbox(**switches) as world, Caller(world) as caller:
        path = f"/folders/{world.root_folder_id}/files/remote_upload"
        answer = caller.post(path, name="clip.mov", source_url=source.url)
        left = world.assets()

    assert (answer.status_code, left, source.asked) == (422, [], ["HEAD"])


def test_switch_probes_before_answering(source: Source) -> None:
    with Sandbox(probe="head") as world, Caller(world) as caller:
        path = f"/folders/{world.root_folder_id}/files/remote_upload"
        answer = caller.post(path, name="clip.mov", source_url=source.url)

    assert answer.json()["data"]["file_size"] == len(source.body)
    assert source.asked[0] == "HEAD"


def test_switch_knows_the_media_type_at_creation(source: Source) -> None:
    with Sandbox(media_type_at="creation") as world, Caller(world) as caller:
        file = caller.placeholder(world.root_folder_id, "clip.mov")
        assert caller.file(file)["media_type"] == "video/quicktime"


def test_switch_leaves_files_untranscoded(source: Source) -> None:
    """As with a file that is no media: nothing tells that transcoding will not come."""
    with Sandbox(transcodes=False) as world, Caller(world) as caller:
        file = caller.upload(world.root_folder_id, "notes.xyz", source.url)
        wait_for_status(world, file, "uploaded")
        include = "media_links.original,media_links.thumbnail"
        links = caller.file(file, include=include)["media_links"]

    assert links["thumbnail"] is None
    assert links["original"]["download_url"]


def test_switch_hashes_bytes_without_keeping_them(source: Source) -> None:
    with Sandbox(keep_bytes=False) as world, Caller(world) as caller:
        file = caller.upload(world.root_folder_id, "clip.mov", source.url)
        row = wait_for_status(world, file, "transcoded")
        gone = caller.http.get(f"/media/{file}")

    assert row["sha256"] == hashlib.sha256(source.body).hexdigest()
    assert gone.status_code == 404


def test_media_links_appear_with_transcoding(
    world: Sandbox, caller: Caller, source: Source
) -> None:
    file = caller.upload(world.root_folder_id, "clip.mov", source.url)
    wait_for_status(world, file, "transcoded")

    include = "media_links.original,media_links.thumbnail,media_links.high_quality"
    links = caller.file(file, include=include)["media_links"]

    assert caller.http.get(links["original"]["inline_url"]).content == source.body
    assert caller.http.get(links["high_quality"]["url"]).content == source.body
    assert caller.http.get(links["thumbnail"]["url"]).content.startswith(b"\x89PNG")
    assert "media_links" not in caller.file(file)


def test_deleting_a_file_stops_its_fetch() -> None:
    with Sandbox(fetch_delay=60) as world, Caller(world) as caller:
        file = caller.upload(world.root_folder_id, "clip.mov", "http://127.0.0.1:9/clip.mov")
        assert caller.delete(f"/files/{file}").status_code == 204
        assert world.assets() == []


def test_same_name_twice_makes_two_assets_and_is_counted(
    world: Sandbox, caller: Caller, source: Source
) -> None:
    for _ in range(2):
        caller.upload(world.root_folder_id, "clip.mov", source.url)

    assert [row["created"] for row in world.assets()] == [2, 2]


def test_file_can_be_renamed_moved_copied_and_deleted(
    world: Sandbox, caller: Caller, source: Source
) -> None:
    there = caller.folder("there")
    file = caller.upload(world.root_folder_id, "clip.mov", source.url)
    wait_for_status(world, file, "transcoded")

    caller.patch(f"/files/{file}", name="final.mov")
    caller.patch(f"/files/{file}/move", parent_id=there)
    copied = caller.post(f"/files/{file}/copy", parent_id=there).json()["data"]
    caller.delete(f"/files/{file}")

    (row,) = world.assets()
    assert (row["id"], row["path"]) == (copied["id"], "there/final (1).mov")
    assert caller.http.get(f"/media/{row['id']}").content == source.body
