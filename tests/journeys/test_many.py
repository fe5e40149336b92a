"""Many clips at once share one outlet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from postflow.frameio.client import shared_for
from postflow.models import Delivery
from postflow.sandbox import Sandbox
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import READY, endings, the_asset
from tests.journeys.studios import save

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

SHOTS, SEQUENCES = 12, 3
POLLS = {"files.show", "files.status"}


def asked(world: Sandbox) -> Counter[str]:
    """Calls to Frame.io by operation."""
    ops = (str(each["op"]) for each in world.requests() if each["path"].startswith("/v4/"))
    return Counter(ops)


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


async def test_clips_at_once_travel_through_one_agent_in_few_calls(
    nothing_cached: None, world: Sandbox, noted_agent: Path, make_clip: MakeClip, tmp_path: Path
) -> None:
    from postflow.cli.upload import deliver_all

    studio = await save(world, name="many", ngrok_path=str(noted_agent))

    async def deliver(version: int, shots: int) -> Counter[str]:
        before = asked(world)
        clips = [
            make_clip(
                f"SQ{1 + number % SEQUENCES:02}_UNDLM_{1 + number:05}_v{version:03}.mov",
                extra=8 * (number + SHOTS * version),
            )
            for number in range(shots)
        ]
        outcomes, not_told = await deliver_all(clips, studio=studio)
        assert not_told == {}
        ids = {clip: the_asset(world, clip)["id"] for clip in clips}
        assert ids == {
            clip: outcome.file_id
            for clip, outcome in outcomes.items()
            if isinstance(outcome, Delivery)
        }
        return asked(world) - before

    new = await deliver(1, SHOTS)
    assert endings(world) == [READY] * SHOTS
    assert (tmp_path / "called").read_text().split().count("start") == 1
    folders = 1 + SEQUENCES + SHOTS
    assert new.pop("folders.list") <= 1 + folders, "the root's, and one after each creation"
    assert sum(new.pop(op, 0) for op in POLLS) <= 3 * SHOTS
    assert new == {
        "accounts.list": 1,
        "projects.list": 1,
        "folders.create": folders,
        "files.remote_upload": SHOTS,
    }

    shared_for.cache_clear()  # another day, another process: only the ledger knows the folders
    again = await deliver(2, SEQUENCES)
    assert sum(again.pop(op, 0) for op in POLLS) <= 3 * SEQUENCES
    assert again == {
        "accounts.list": 1,
        "projects.list": 1,
        "folders.list": SEQUENCES,
        "folders.children": SEQUENCES,
        "files.remote_upload": SEQUENCES,
        "version_stacks.create": SEQUENCES,
    }
