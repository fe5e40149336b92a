"""Clips that are odd, cut, no clips at all, or delivered and then written into."""

from __future__ import annotations

from pathlib import Path

import pytest

from postflow.errors import Skip
from postflow.sandbox import Sandbox
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import READY, endings, namesakes, words

pytestmark = pytest.mark.prefect

NOTE = b"\0\0\0\x15uuid" + b"<x:xmpmeta/>\n"


def write_into(clip: Path, *, behind: bytes) -> None:
    with clip.open("ab") as file:
        file.write(behind)


async def test_metadata_written_into_a_delivered_clip_makes_no_second_asset(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.flows.deliver import deliver

    clip = make_clip()
    first = await deliver(clip, studio=loopback_studio)
    write_into(clip, behind=NOTE)
    again = await deliver(clip, studio=loopback_studio)
    assert (again.file_id, again.adopted) == (first.file_id, True)
    (asset,) = namesakes(world, clip)
    assert asset["created"] == 1
    assert endings(world) == [READY]


async def test_a_cut_clip_handed_over_goes_with_a_doubt_and_a_text_does_not_go(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.engine.artifacts import slip
    from postflow.flows.deliver import deliver

    clip = make_clip()
    write_into(clip, behind=NOTE[:-4])
    delivery = await deliver(clip, studio=loopback_studio)
    doubt = "in the middle of 'uuid'"
    assert doubt in str(delivery.media.doubt)
    assert doubt in words(world)
    assert doubt in slip(delivery).replace("\\", "")
    text = make_clip("SQ07_UNDLM_00153_v001.mov")
    text.write_text("This is no movie at all.\n" * 99)
    with pytest.raises(Skip) as caught:
        await deliver(text, studio=loopback_studio)
    assert caught.value.code == "file.no_media"
    assert namesakes(world, text) == []
