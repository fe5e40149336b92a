"""`upload_file_to_frameio`: a result for every outcome that can be foreseen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from postflow.sandbox import Sandbox
from tests.journeys.conftest import MakeClip
from tests.journeys.faults import ALWAYS
from tests.journeys.proof import READY, endings, the_asset

pytestmark = pytest.mark.prefect


async def test_a_delivery_is_a_result_with_its_ids(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.flows.deliver import upload_file_to_frameio

    clip = make_clip("holiday.mov")
    result = await upload_file_to_frameio(
        str(clip),
        project_name=world.project_name,
        scene_name="SQ09",
        shot_name="00010",
        studio=loopback_studio,
    )
    asset = the_asset(world, clip)
    assert (result.success, result.error) == (True, None)
    assert (result.file_id, result.folder_id) == (asset["id"], asset["folder_id"])
    assert (result.view_url, result.project_id) == (asset["view_url"], world.project_id)
    assert "SQ09" in asset["path"]


async def test_another_webhook_gets_the_message(
    loopback_studio: str, world: Sandbox, other_channel: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.flows.deliver import upload_file_to_frameio

    webhook = other_channel.discord_webhook_url
    result = await upload_file_to_frameio(
        make_clip(), discord_webhook_url=webhook, studio=loopback_studio
    )
    assert result.success
    assert (endings(world), endings(other_channel)) == ([], [READY])


@pytest.mark.parametrize(
    ("name", "options", "code"),
    [
        ("holiday.mov", {}, "name.unknown"),
        ("nowhere/SQ07_UNDLM_00152_v003.mov", {}, "file.missing"),
        ("SQ07_UNDLM_00152_v003.mov", {"project_name": "DUNE"}, "frameio.project_unknown"),
        ("SQ07_UNDLM_00152_v003.mov", {"studio": "atlantis"}, "studio.missing"),
    ],
)
async def test_what_can_be_foreseen_is_a_result_with_its_remedy(
    name: str,
    options: dict[str, str],
    code: str,
    loopback_studio: str,
    world: Sandbox,
    make_clip: MakeClip,
) -> None:
    from postflow.flows.deliver import upload_file_to_frameio

    clip = make_clip(Path(name).name)
    path = clip if clip.name == name else clip.parent / name
    result = await upload_file_to_frameio(path, **{"studio": loopback_studio} | options)
    assert (result.success, result.file_id, result.view_url) == (False, None, None)
    assert result.code == code
    assert result.error
    assert result.hint
    assert world.assets() == []


async def test_a_transfer_that_fails_is_a_result_too(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.flows.deliver import upload_file_to_frameio

    world.fault("upload_failed", "files.remote_upload", times=ALWAYS)
    result = await upload_file_to_frameio(make_clip(), studio=loopback_studio)
    assert (result.success, result.code) == (False, "frameio.upload_failed")
    assert world.assets() == []


async def test_a_prefect_that_is_not_there_is_a_result_too(
    loopback_studio: str, make_clip: MakeClip
) -> None:
    from postflow.flows.deliver import upload_file_to_frameio

    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        result = await upload_file_to_frameio(make_clip(), studio=loopback_studio)
    assert (result.success, result.code) == (False, "prefect.unreachable")
    assert result.hint


@pytest.fixture
def other_channel() -> Iterator[Sandbox]:
    """A world of which only the Discord matters."""
    with Sandbox() as running:
        yield running
