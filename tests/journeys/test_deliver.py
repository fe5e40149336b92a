"""One clip through the real flow, server, media server, pyngrok and agent, into the sandbox."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from postflow.errors import Skip
from sandbox import Sandbox

from tests.journeys.conftest import MakeClip

pytestmark = pytest.mark.prefect


async def test_a_clip_arrives_whole_in_its_folder_and_is_announced(
    studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from flows.deliver import deliver

    clip = make_clip()
    delivery = await deliver(clip, studio=studio)

    (asset,) = world.assets()
    assert asset["path"].endswith("2_FROM_ANIM/SQ07/UNDLM_00152/SQ07_UNDLM_00152_v003.mov")
    assert asset["sha256"] == hashlib.sha256(clip.read_bytes()).hexdigest()
    assert asset["id"] == delivery.file_id
    assert delivery.view_url.endswith(asset["id"])
    (message,) = world.messages()
    assert delivery.view_url in str(message)
