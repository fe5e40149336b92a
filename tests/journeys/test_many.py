"""Many clips at once share one outlet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import Sandbox
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import READY, endings, the_asset
from tests.journeys.studios import save

pytestmark = pytest.mark.prefect

MANY = 20


@pytest.fixture
def world() -> Iterator[Sandbox]:
    """Its rate limits leak faster: at Discord's own, twenty clips take sixteen seconds."""
    with Sandbox(rate_scale=20) as running:
        yield running


@pytest.fixture
def noted_agent(world: Sandbox, tmp_path: Path) -> Path:
    """The agent, behind a script that notes how it was called."""
    script = tmp_path / "ngrok"
    script.write_text(
        f'#!/bin/sh\necho "$1" >> "{tmp_path}/called"\nexec "{world.ngrok_path}" "$@"\n'
    )
    script.chmod(0o700)
    return script


async def test_twenty_clips_at_once_through_one_agent(
    nothing_cached: None, world: Sandbox, noted_agent: Path, make_clip: MakeClip, tmp_path: Path
) -> None:
    from blocks.opening import open_studio
    from flows.deliver import deliver

    studio = await save(world, name="many", ngrok_path=str(noted_agent))
    clips = [
        make_clip(f"SQ07_UNDLM_{number:05}_v001.mov", extra=8 * number)
        for number in range(1, MANY + 1)
    ]
    async with open_studio(studio) as live, live.outlet.opened():
        deliveries = await asyncio.gather(*(deliver(clip, studio=studio) for clip in clips))

    assert [the_asset(world, clip)["id"] for clip in clips] == [d.file_id for d in deliveries]
    assert len(world.assets()) == MANY
    assert endings(world) == [READY] * MANY
    assert (tmp_path / "called").read_text().split().count("start") == 1
