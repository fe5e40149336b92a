"""A delivery carries a link that opens for everybody; what goes wrong there undoes none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from postflow.ledger import Ledger
from postflow.ledger.shared_clips import troubles
from postflow.sandbox import Sandbox
from tests.journeys.conftest import MakeClip
from tests.journeys.faults import ALWAYS, fault
from tests.journeys.proof import READY, calls, endings, the_asset, words
from tests.journeys.studios import save

pytestmark = pytest.mark.prefect

LIMIT = 120.0
EVERYBODY = "For everybody with the link"
CLIENT = "client@studio.example"
SaveStudio = Callable[..., Awaitable[str]]


@pytest.fixture
def shared_studio(nothing_cached: None, world: Sandbox) -> SaveStudio:
    """A studio whose deliveries carry share links."""

    async def studio(per: str = "day", **share: Any) -> str:
        return await save(world, name="shared", provider="loopback", share={"per": per, **share})

    return studio


async def deliver(clip: Path, studio: str) -> Any:
    from postflow.flows.deliver import deliver

    async with asyncio.timeout(LIMIT):
        return await deliver(clip, studio=studio)


def links(world: Sandbox) -> list[str]:
    """The address that each message gives to those who are no members; of each its newest text."""
    found = []
    for message in world.messages():
        lines = {line["name"]: line["value"] for line in message["embeds"][0]["fields"]}
        if EVERYBODY in lines:
            found.append(lines[EVERYBODY].partition("](")[2].partition(")")[0])
    return found


async def opened(link: str) -> str:
    async with httpx.AsyncClient(follow_redirects=True) as browser:
        return (await browser.get(link)).text


async def test_the_link_opens_for_somebody_who_is_signed_in_nowhere(
    shared_studio: SaveStudio, world: Sandbox, make_clip: MakeClip
) -> None:
    clip = make_clip()
    delivery = await deliver(clip, await shared_studio())
    [link] = links(world)
    assert clip.name in await opened(link)
    assert "For members" in words(world)
    assert endings(world) == [READY]
    assert link not in delivery.model_dump_json()
    [share] = world.shares()
    assert (share["asset_ids"], share["downloading_enabled"]) == ([delivery.file_id], False)
    left = datetime.fromisoformat(share["expiration"]) - datetime.now(UTC)
    assert timedelta(days=29) < left <= timedelta(days=30)


async def test_a_folders_link_is_made_once_and_carried_at_once(
    shared_studio: SaveStudio, world: Sandbox, make_clip: MakeClip
) -> None:
    """Of a sequence: one creation for all that is to come."""
    studio = await shared_studio("sequence")
    clips = [make_clip(f"SQ07_UNDLM_00152_v00{n}.mov") for n in (1, 2)]
    for clip in clips:
        await deliver(clip, studio)
    first, second = links(world)
    assert first == second
    page = await opened(first)
    assert all(clip.name in page for clip in clips)
    assert calls(world, "shares.create") == 1
    assert calls(world, "shares.add_asset") == 0
    assert EVERYBODY not in str(world.messages()[1]["edits"][:1])


async def test_a_link_that_cannot_be_made_is_told_and_undoes_no_delivery(
    shared_studio: SaveStudio, world: Sandbox, make_clip: MakeClip
) -> None:
    clip = make_clip()
    studio = await shared_studio(passphrase="sesame")
    fault("status", "shares.create", code=403, times=ALWAYS).arm(world)
    delivery = await deliver(clip, studio)
    assert the_asset(world, clip)["id"] == delivery.file_id
    assert endings(world) == [READY]
    assert "could not be made" in words(world)
    with Ledger.open() as ledger:
        [(name, why)] = troubles(ledger, studio)
    assert name in words(world)
    assert why
