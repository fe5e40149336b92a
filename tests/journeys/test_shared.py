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
from tests.journeys.faults import ALWAYS, Fault, arm_all, fault, named
from tests.journeys.proof import READY, armed, calls, endings, the_asset, words
from tests.journeys.studios import save

pytestmark = pytest.mark.prefect

LIMIT = 45.0
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


@pytest.mark.parametrize("per", ["sequence", "shot"])
async def test_a_folders_link_is_made_once_and_carried_at_once(
    per: str, shared_studio: SaveStudio, world: Sandbox, make_clip: MakeClip
) -> None:
    """Two versions of a shot: one creation, and the second message needs no change."""
    studio = await shared_studio(per)
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


async def test_a_clip_of_the_same_day_joins_the_days_link(
    shared_studio: SaveStudio, world: Sandbox, make_clip: MakeClip
) -> None:
    studio = await shared_studio()
    for n in (1, 2):
        await deliver(make_clip(f"SQ07_UNDLM_0000{n}_v001.mov", extra=8 * n), studio)
    first, second = links(world)
    assert first == second
    assert [calls(world, f"shares.{op}") for op in ("create", "add_asset")] == [1, 1]


ENDED: dict[str, dict[str, Any] | None] = {
    "expired": {"expiration": "2026-01-01T00:00:00+00:00"},
    "about to expire": {"expiration": (datetime.now(UTC) + timedelta(hours=1)).isoformat()},
    "revoked": {"enabled": False},
    "deleted": None,
}


@pytest.mark.parametrize("ended", ENDED)
async def test_a_link_that_opens_no_more_is_renewed_before_somebody_meets_it(
    ended: str, shared_studio: SaveStudio, world: Sandbox, make_clip: MakeClip
) -> None:
    """The messages of before have the new one too."""
    studio = await shared_studio()
    clips = [make_clip(f"SQ07_UNDLM_0000{n}_v001.mov", extra=8 * n) for n in (1, 2)]
    await deliver(clips[0], studio)
    [old] = world.shares()
    change = ENDED[ended]
    if change is None:
        world.delete_share(old["id"])
    else:
        world.change_share(old["id"], **change)
    await deliver(clips[1], studio)
    first, second = links(world)
    assert first == second != old["url"]
    page = await opened(first)
    assert all(clip.name in page for clip in clips)


FOR_A_MOMENT = [
    (fault("lost_answer", "shares.create"),),
    (fault("lost_answer", "shares.create", code=502), fault("status", "shares.list", code=500)),
    (fault("reset", "shares.create"), fault("reset", "shares.assets")),
    (fault("status", "shares.create", code=500), fault("rate_limited", "shares.list")),
    (fault("rate_limited", "shares.create"), fault("token_expiry", "shares.create")),
    (fault("delay", "shares.create", seconds=0.5), fault("late_answer", "shares.create")),
]


@pytest.mark.parametrize("faults", FOR_A_MOMENT, ids=named)
async def test_after_faults_that_pass_there_is_one_link(
    faults: tuple[Fault, ...], shared_studio: SaveStudio, world: Sandbox, make_clip: MakeClip
) -> None:
    clip = make_clip()
    arm_all(world, faults)
    await deliver(clip, await shared_studio())
    the_asset(world, clip)
    assert links(world) == [share["url"] for share in world.shares()]
    assert len(links(world)) == 1
    assert armed(world)[1:] == []


@pytest.mark.parametrize("code", [403, 404, 409, 422, 500])
async def test_a_link_that_cannot_be_made_is_told_and_undoes_no_delivery(
    code: int, shared_studio: SaveStudio, world: Sandbox, make_clip: MakeClip
) -> None:
    clip = make_clip()
    studio = await shared_studio()
    fault("status", "shares.create", code=code, times=ALWAYS).arm(world)
    delivery = await deliver(clip, studio)
    assert the_asset(world, clip)["id"] == delivery.file_id
    assert endings(world) == [READY]
    assert "could not be made" in words(world)
    with Ledger.open() as ledger:
        [(name, why)] = troubles(ledger, studio)
    assert name in words(world)
    assert why


async def test_a_clip_that_somebody_has_deleted_keeps_no_other_from_the_link(
    shared_studio: SaveStudio, world: Sandbox, make_clip: MakeClip
) -> None:
    studio = await shared_studio()
    clips = [make_clip(f"SQ07_UNDLM_0000{n}_v001.mov", extra=8 * n) for n in (1, 2)]
    first = await deliver(clips[0], studio)
    world.delete_share(world.shares()[0]["id"])
    from tests.frameio.connecting import raw

    await raw(world, "DELETE", f"/v4/accounts/{world.account_id}/files/{first.file_id}")
    second = await deliver(clips[1], studio)
    assert [share["asset_ids"] for share in world.shares()] == [[second.file_id]]


async def test_reviewers_are_invited_once_and_the_passphrase_is_asked_for(
    shared_studio: SaveStudio, world: Sandbox, make_clip: MakeClip
) -> None:
    studio = await shared_studio(reviewers=[CLIENT], passphrase="sesame", downloads=True)
    world.fault("lost_answer", "shares.add_reviewers")
    for n in (1, 2):
        await deliver(make_clip(f"SQ07_UNDLM_0000{n}_v001.mov", extra=8 * n), studio)
    [share] = world.shares()
    assert share["mailed"] == [CLIENT]
    assert share["downloading_enabled"] is True
    assert "may not have written" in words(world)
    assert "sesame" not in words(world)
    async with httpx.AsyncClient(follow_redirects=True) as browser:
        assert ".mov" not in (await browser.get(share["url"])).text
        assert ".mov" in (await browser.post(share["url"], data={"passphrase": "sesame"})).text


async def test_a_secure_link_lets_its_reviewers_in(
    shared_studio: SaveStudio, world: Sandbox, make_clip: MakeClip
) -> None:
    studio = await shared_studio(access="secure", reviewers=[CLIENT])
    world.fault("lost_answer", "shares.add_reviewers")
    for n in (1, 2):
        await deliver(make_clip(f"SQ07_UNDLM_0000{n}_v001.mov", extra=8 * n), studio)
    [share] = world.shares()
    assert (share["reviewers"], share["mailed"]) == ([CLIENT], [CLIENT])
    assert "For invited reviewers" in words(world)
