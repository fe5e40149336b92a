"""One clip through the real flow, server, media server, pyngrok and agent, into the sandbox."""

from __future__ import annotations

import pytest

from postflow.errors import Skip
from postflow.sandbox import Sandbox
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import READY, endings, the_asset, titles, words
from tests.journeys.studios import save
from tests.support.wild_times import WILD, written_at

pytestmark = pytest.mark.prefect


async def test_a_clip_arrives_whole_in_its_folder_and_is_announced(
    studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.flows.deliver import deliver

    clip = make_clip()
    delivery = await deliver(clip, studio=studio)

    asset = the_asset(world, clip)
    assert asset["path"].endswith("2_FROM_ANIM/SQ07/UNDLM_00152/SQ07_UNDLM_00152_v003.mov")
    assert delivery.folder.label == "2_FROM_ANIM/SQ07/UNDLM_00152"
    assert (delivery.file_id, delivery.project_id) == (asset["id"], world.project_id)
    assert delivery.view_url == asset["view_url"]
    (message,) = world.messages()
    assert delivery.view_url in str(message)
    assert titles(world) == [f"SQ07 UNDLM\\_00152 v003 {READY}"]


@pytest.mark.parametrize("seconds", WILD)
async def test_a_clip_with_a_wild_time_stamp_is_delivered_like_any_other(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip, seconds: int
) -> None:
    from postflow.flows.deliver import deliver

    clip = make_clip()
    written_at(clip, seconds)
    delivery = await deliver(clip, studio=loopback_studio)
    assert the_asset(world, clip)["id"] == delivery.file_id
    assert endings(world) == [READY]


async def test_a_name_that_means_nothing_goes_nowhere(
    studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.flows.deliver import deliver

    with pytest.raises(Skip) as refused:
        await deliver(make_clip("holiday.mov"), studio=studio)
    assert refused.value.hint
    assert (world.assets(), world.folders(), world.messages()) == ([], [], [])


async def test_scene_and_shot_given_by_hand_win(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.flows.deliver import deliver

    clip = make_clip("holiday.mov")
    delivery = await deliver(clip, studio=loopback_studio, scene="SQ09", shot="00010")
    assert the_asset(world, clip)["id"] == delivery.file_id
    assert "SQ09" in delivery.folder.path


async def test_a_project_given_by_its_id_is_the_same_after_somebody_has_renamed_it(
    nothing_cached: None, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.flows.deliver import deliver, upload_file_to_frameio

    studio = await save(world, name="by-id", provider="loopback", project=world.project_id)
    first, second, third = (
        make_clip(f"SQ07_UNDLM_0000{n}_v001.mov", extra=80 * n) for n in (1, 2, 3)
    )
    await deliver(first, studio=studio)
    world.rename_project("RENAMED")
    await deliver(second, studio=studio)
    by_hand = await upload_file_to_frameio(third, project_name=world.project_id, studio=studio)
    assert by_hand.success
    assert {the_asset(world, clip)["project_id"] for clip in (first, second, third)} == {
        world.project_id
    }
    told = words(world)
    assert told.count("RENAMED") == 2
    assert world.project_id not in told.replace(f"/project/{world.project_id}", "")
