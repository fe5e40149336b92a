"""A studio's limit holds for whole deliveries, by both ways."""

from __future__ import annotations

import asyncio
import time

import pytest

from postflow.models import Transfer
from postflow.sandbox import Sandbox
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import the_asset
from tests.journeys.studios import save

pytestmark = pytest.mark.prefect

RATE = 300_000


@pytest.fixture
async def limited_studio(nothing_cached: None, world: Sandbox, saved: dict[str, str]) -> str:
    """Its hours are all of the day, so that `limit` never holds."""
    if saved.get("limited") != world.url:
        always = {"from": "00:00", "to": "00:00", "limit": "2.4 Mbit/s"}
        limits = {"limit": "20 MB/s", "bandwidth": [always]}
        await save(world, name="limited", transfer="auto", provider="loopback", limits=limits)
        saved["limited"] = world.url
    return "limited"


@pytest.mark.parametrize("transfer", ["tunnel", "direct"])
async def test_a_delivery_takes_as_long_as_its_limit_says(
    limited_studio: str, world: Sandbox, make_clip: MakeClip, transfer: Transfer
) -> None:
    from postflow.flows.deliver import deliver

    clip = make_clip(extra=RATE)
    start = time.monotonic()
    async with asyncio.timeout(60):
        delivery = await deliver(clip, studio=limited_studio, transfer=transfer)
    assert time.monotonic() - start >= clip.stat().st_size / RATE
    assert delivery.way == transfer
    the_asset(world, clip)
