"""One clip through the real flow, server, media server, pyngrok and agent, into the sandbox."""

from __future__ import annotations

import pytest

from postflow.errors import Skip
from postflow.sandbox import Sandbox
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import READY, endings, the_asset, titles
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
