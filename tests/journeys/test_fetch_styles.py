"""However Frame.io may fetch: what it stores is the clip."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from postflow.sandbox import Sandbox
from postflow.sandbox.fetching import FETCH_STYLES, FetchStyle
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import the_asset

pytestmark = pytest.mark.prefect


@pytest.fixture(params=FETCH_STYLES)
def world(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    style: FetchStyle = request.param
    with Sandbox(fetch_style=style, fetch_rate=4 << 20, probe="head") as running:
        yield running


async def test_a_clip_arrives_whole_however_it_is_fetched(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.flows.deliver import deliver

    clip = make_clip(extra=3_000_000)
    delivery = await deliver(clip, studio=loopback_studio)
    assert the_asset(world, clip)["id"] == delivery.file_id
