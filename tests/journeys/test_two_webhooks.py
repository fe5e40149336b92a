"""Callers of one process that deliver at once, each to a webhook of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from postflow.engine.studio import open_studio
from postflow.sandbox import Sandbox
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import titles
from tests.journeys.studios import save

pytestmark = pytest.mark.prefect


@pytest.fixture
def other_channel() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


async def test_each_clip_is_told_of_in_the_channel_that_its_caller_named(
    loopback_studio: str, world: Sandbox, other_channel: Sandbox, make_clip: MakeClip
) -> None:
    """Whoever comes first, and the studio's own channel among them."""
    from postflow.flows.deliver import upload_file_to_frameio

    webhooks = [other_channel.discord_webhook_url, None, other_channel.discord_webhook_url]
    clips = [make_clip(f"SQ07_UNDLM_0015{n}_v001.mov", extra=8 * n) for n in range(3)]
    results = await asyncio.gather(
        *(
            upload_file_to_frameio(clip, discord_webhook_url=webhook, studio=loopback_studio)
            for clip, webhook in zip(clips, webhooks, strict=True)
        )
    )
    assert [each.error for each in results] == [None] * 3
    assert titles(world) == [r"SQ07 UNDLM\_00151 v001 is ready for review"]
    assert sorted(titles(other_channel)) == [
        rf"SQ07 UNDLM\_0015{n} v001 is ready for review" for n in (0, 2)
    ]


async def test_studios_side_by_side_each_speak_their_own_language(
    loopback_studio: str, other_channel: Sandbox, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.flows.deliver import upload_file_to_frameio

    french = await save(
        other_channel,
        name=f"{loopback_studio}-fr",
        transfer="direct",
        has_tunnel=False,
        limits={"language": "fr"},
    )
    clips = [make_clip(f"SQ07_UNDLM_0016{n}_v001.mov", extra=8 * n) for n in range(2)]
    await asyncio.gather(
        upload_file_to_frameio(clips[0], studio=loopback_studio),
        upload_file_to_frameio(clips[1], studio=french),
    )
    assert titles(world) == [r"SQ07 UNDLM\_00160 v001 is ready for review"]
    assert titles(other_channel) == [r"SQ07 UNDLM\_00161 v001 est prêt à visionner"]


async def test_the_studios_own_webhook_is_no_other_one(
    loopback_studio: str, world: Sandbox
) -> None:
    """As `upload` is given it by the environment: thread and messages are the studio's."""
    async with open_studio(
        loopback_studio, discord_webhook=SecretStr(world.discord_webhook_url)
    ) as live:
        assert live.channel == loopback_studio
