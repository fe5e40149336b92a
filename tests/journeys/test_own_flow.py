"""A flow of somebody else's, made of our stages."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from postflow.errors import Skip
from postflow.sandbox import Sandbox
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import READY, endings, the_asset

pytestmark = pytest.mark.prefect

EXAMPLE = Path(__file__).parents[2] / "examples/own_flow.py"


async def test_the_example_delivers_once_and_raises_what_the_stages_raise(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    assert len(EXAMPLE.read_text().splitlines()) < 30
    send = runpy.run_path(str(EXAMPLE))["send_dailies"]
    clip = make_clip()
    link = await send(clip, studio_name=loopback_studio)
    assert await send(clip, studio_name=loopback_studio) == link
    assert the_asset(world, clip)["view_url"] == link
    assert endings(world) == [READY]
    with pytest.raises(Skip):
        await send(make_clip("holiday.mov"), studio_name=loopback_studio)
