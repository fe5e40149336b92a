"""Share links: made once whatever becomes of the answer, and opened by who may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from postflow.errors import Fatal, Retry
from postflow.frameio import FrameioClient
from postflow.frameio.shares import NewShare, Share, ShareTerms
from postflow.models import Project
from postflow.sandbox import Sandbox
from tests.frameio.connecting import calls, connected
from tests.sandbox.caller import Caller

CREATE, ADD, INVITE = "shares.create", "shares.add_asset", "shares.add_reviewers"
CLIENT = "client@studio.example"
NOW = datetime.now(UTC)
FAULTS = [
    {"what": "lost_answer"},
    {"what": "lost_answer", "code": 502},
    {"what": "reset"},
    {"what": "status", "code": 503},
    {"what": "rate_limited"},
    {"what": "token_expiry"},
]


def label(fault: dict[str, Any]) -> str:
    return "-".join(str(value) for value in fault.values())


@pytest.fixture
def clips(world: Sandbox) -> tuple[str, ...]:
    with Caller(world) as caller:
        return tuple(caller.placeholder(world.root_folder_id, f"{n}.mov") for n in range(3))


def of(project: Project, *asset_ids: str, name: str = "UNDLM · 2026-11-27") -> NewShare:
    return NewShare(
        account_id=project.account_id, project_id=project.id, name=name, asset_ids=asset_ids
    )


async def make(client: FrameioClient, new: NewShare, **terms: Any) -> Share:
    return await client.shares.create(new, ShareTerms(**terms), since=NOW)


async def test_a_share_opens_on_its_terms(
    world: Sandbox, client: FrameioClient, project: Project, clips: tuple[str, ...]
) -> None:
    until = NOW + timedelta(days=30)
    share = await make(
        client, of(project, *clips), expires_at=until, passphrase=SecretStr("sesame")
    )
    [there] = world.shares()
    assert share.url.get_secret_value() == there["url"]
    assert there["asset_ids"] == list(clips)
    assert there["downloading_enabled"] is False
    assert there["passphrase"] == "sesame"
    assert share.opens(NOW)
    assert not share.opens(until)
    for secret in (there["url"], "sesame"):
        assert secret not in f"{share!r} {share} {share.model_dump_json()}"
    assert await client.shares.show(project.account_id, share.id) == share


@pytest.mark.parametrize("fault", FAULTS, ids=label)
async def test_whatever_happens_to_its_creation_there_is_one(
    world: Sandbox,
    client: FrameioClient,
    project: Project,
    clips: tuple[str, ...],
    fault: dict[str, Any],
) -> None:
    other = await make(client, of(project, clips[0]))
    world.fault(where=CREATE, **fault)
    share = await make(client, of(project, *clips))
    assert [it["id"] for it in world.shares()] == [other.id, share.id]


async def test_one_that_nobody_heard_of_is_found_by_what_is_in_it(
    world: Sandbox, client: FrameioClient, project: Project, clips: tuple[str, ...]
) -> None:
    """Another one of the name, and one that is known, are not it."""
    await make(client, of(project, clips[0]))
    known = await make(client, of(project, *clips))
    ours = of(project, *clips)
    assert await client.shares.find(ours, since=NOW, known=[known.id]) is None
    unheard = await make(client, ours)
    assert await client.shares.find(ours, since=NOW, known=[known.id]) == unheard
    later = NOW + timedelta(hours=1)
    assert await client.shares.find(ours, since=later) is None


@pytest.mark.parametrize("fault", FAULTS, ids=label)
@pytest.mark.parametrize("share_again", ["ignore", "refuse"])
async def test_an_asset_is_added_once(
    tmp_path: Path, fault: dict[str, Any], share_again: str
) -> None:
    with Sandbox(rate_scale=100, share_again=share_again) as world, Caller(world) as caller:
        first, second = (caller.placeholder(world.root_folder_id, f"{n}.mov") for n in "ab")
        async with connected(world, tmp_path) as client:
            project = await client.projects.find(world.project_id)
            share = await make(client, of(project, first))
            world.fault(where=ADD, **fault)
            for _ in range(2):
                await client.shares.add_asset(project.account_id, share.id, second)
        assert world.shares()[0]["asset_ids"] == [first, second]


async def test_one_that_is_gone_is_none_and_one_that_is_revoked_opens_nothing(
    world: Sandbox, client: FrameioClient, project: Project, clips: tuple[str, ...]
) -> None:
    share = await make(client, of(project, *clips))
    world.change_share(share.id, enabled=False)
    shown = await client.shares.show(project.account_id, share.id)
    assert shown is not None
    assert not shown.opens(NOW)
    world.delete_share(share.id)
    assert await client.shares.show(project.account_id, share.id) is None
    with pytest.raises(Fatal):
        await client.shares.add_asset(project.account_id, share.id, clips[0])


async def test_an_invitation_whose_answer_is_lost_is_not_sent_again(
    world: Sandbox, client: FrameioClient, project: Project, clips: tuple[str, ...]
) -> None:
    share = await make(client, of(project, *clips), access="secure")
    world.fault("lost_answer", INVITE)
    with pytest.raises(Retry):
        await client.shares.invite(project.account_id, share.id, [CLIENT], "Please look.")
    assert await client.shares.reviewers(project.account_id, share.id) == {CLIENT}
    assert calls(world, INVITE) == 1


async def test_who_looked_is_told(
    world: Sandbox, client: FrameioClient, project: Project, clips: tuple[str, ...]
) -> None:
    share = await make(client, of(project, *clips), access="secure")
    await client.shares.invite(project.account_id, share.id, [CLIENT], "Please look.")
    async with httpx.AsyncClient(follow_redirects=True) as browser:
        await browser.post(share.url.get_secret_value(), data={"email": CLIENT})
    [seen] = await client.shares.activities(project.account_id, share.id)
    assert (seen.type, seen.asset_id) == ("share_viewed", None)
    assert seen.user is not None
    assert seen.user.email == CLIENT
