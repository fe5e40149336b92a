"""Many clips at once share one outlet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from postflow.models import Delivery
from postflow.sandbox import Sandbox
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import READY, endings, the_asset
from tests.journeys.studios import save

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

MANY = 10


@pytest.fixture
def world() -> Iterator[Sandbox]:
    """Its rate limits leak faster: Discord's own would be waited for."""
    with Sandbox(rate_scale=20) as running:
        yield running


@pytest.fixture
def noted_agent(world: Sandbox, tmp_path: Path) -> Path:
    """The agent, behind a script that notes how it was called."""
    script = tmp_path / "ngrok"
    note = f'echo "$1" >> "{tmp_path}/called"'
    script.write_text(f'#!/bin/sh\n{note}\nexec "{world.ngrok_path}" "$@"\n')
    script.chmod(0o700)
    return script


async def test_ten_clips_at_once_travel_through_one_agent(
    nothing_cached: None, world: Sandbox, noted_agent: Path, make_clip: MakeClip, tmp_path: Path
) -> None:
    from postflow.cli.upload import deliver_all

    studio = await save(world, name="many", ngrok_path=str(noted_agent))
    clips = [
        make_clip(f"SQ07_UNDLM_{number:05}_v001.mov", extra=8 * number)
        for number in range(1, MANY + 1)
    ]
    outcomes, not_told = await deliver_all(clips, studio=studio)
    assert not_told == {}

    delivered = {
        clip: outcome.file_id for clip, outcome in outcomes.items() if isinstance(outcome, Delivery)
    }
    assert delivered == {clip: the_asset(world, clip)["id"] for clip in clips}
    assert len(world.assets()) == MANY
    assert endings(world) == [READY] * MANY
    assert (tmp_path / "called").read_text().split().count("start") == 1
