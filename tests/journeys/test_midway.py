"""What happens while bytes flow: to the tunnel, to the file on disk, to the folder in Frame.io."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from postflow.errors import Fatal, Retry, Skip
from postflow.ledger import StaleClaim, claims, leases
from postflow.models import Delivery, MediaFile
from postflow.outlet import Served
from postflow.sandbox import Sandbox
from postflow.sandbox.clips import clip_path
from tests.frameio.connecting import raw
from tests.journeys.conftest import MakeClip
from tests.journeys.faults import Fault, fault, named
from tests.journeys.proof import (
    FAILED,
    ON_ITS_WAY,
    READY,
    armed,
    endings,
    namesakes,
    the_asset,
    words,
)
from tests.support.wait import wait_until

pytestmark = pytest.mark.prefect

LIMIT = 100.0
SLOWLY = fault("rate", "edge", bytes_per_second=50_000)
FETCHED_LATE = fault("delay", "fetch", seconds=600)


async def deliver_and(
    strike: Callable[[], Awaitable[None]],
    clip: Path,
    studio: str,
    world: Sandbox,
    *,
    left: int = 0,
) -> Delivery:
    """Deliver, and `strike` once when Frame.io has been asked, its status was seen, and so many
    bytes have left us; a fetch that waits begins then.
    """
    from postflow.engine.studio import open_studio
    from postflow.flows.deliver import deliver

    struck = False

    async def progress(_media: MediaFile, served: Served) -> None:
        nonlocal struck
        if not struck and served.bytes_covered >= left:
            struck = True
            await strike()
            world.release()

    async with asyncio.timeout(LIMIT), open_studio(studio, progress=progress):
        return await deliver(clip, studio=studio)


@pytest.mark.parametrize(
    "blow",
    [
        fault("agent_crash", "agent"),
        fault("new_address", "agent"),
        fault("drop", "agent", seconds=1),
    ],
    ids=named,
)
async def test_a_blow_while_bytes_flow_costs_no_clip(
    blow: Fault, studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    async def strike() -> None:
        blow.arm(world)

    clip = make_clip(extra=200_000)
    SLOWLY.arm(world)
    delivery = await deliver_and(strike, clip, studio, world)
    assert the_asset(world, clip)["id"] == delivery.file_id
    assert endings(world) == [READY]


async def show(world: Sandbox, page: str, **options: Any) -> None:
    """From now on: who asks for the next order, something harmless, has obeyed the one before."""
    world.fault(page, "edge", **options)
    for _ in range(2):
        world.fault("noise", "agent", lines=1)
        await wait_until(lambda: "noise" not in str(armed(world)), description="the agent to know")


@pytest.mark.parametrize("page", ["quota_page", "interstitial"])
async def test_a_page_of_ngrok_is_never_taken_for_the_clip(
    page: str, studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    """The probe saw the clip; what Frame.io then fetches is a page."""

    async def strike() -> None:
        await show(world, page)

    clip = make_clip()
    FETCHED_LATE.arm(world)
    delivery = await deliver_and(strike, clip, studio, world)
    asset = the_asset(world, clip)
    assert (asset["id"], asset["created"]) == (delivery.file_id, 2)
    assert endings(world) == [READY]


async def test_a_quota_that_is_used_up_midway_is_told_and_leaves_nothing(
    studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    async def strike() -> None:
        await show(world, "quota_page", times=None, requests=-1)

    clip = make_clip()
    FETCHED_LATE.arm(world)
    with pytest.raises(Fatal) as failure:
        await deliver_and(strike, clip, studio, world)
    assert failure.value.code == "tunnel.ngrok.725"
    assert namesakes(world, clip) == []
    assert endings(world) == [FAILED]


@pytest.mark.parametrize("how", ["written into", "replaced"])
async def test_a_clip_that_changes_on_disk_arrives_as_it_is_in_the_end(
    how: str, studio: str, world: Sandbox, make_clip: MakeClip, tmp_path: Path
) -> None:
    async def strike() -> None:
        if how == "replaced":
            (tmp_path / "export").write_bytes(again)
            (tmp_path / "export").rename(clip)
        else:
            clip.write_bytes(again)

    clip = make_clip(extra=200_000)
    again = clip_path().read_bytes() + b"\0\0\0\x0bmdatnew"
    SLOWLY.arm(world)
    delivery = await deliver_and(strike, clip, studio, world)
    assert the_asset(world, clip)["id"] == delivery.file_id
    assert delivery.media.size == len(again)
    assert endings(world) == [FAILED, READY]


def swapped(clip: Path) -> None:
    """Another file of equal size and times is moved into the clip's place."""
    was = clip.stat()
    new = clip.with_suffix(".new")
    new.write_bytes(_retold(clip))
    os.utime(new, ns=(was.st_atime_ns, was.st_mtime_ns))
    new.rename(clip)


def written_over(clip: Path) -> None:
    """As `cp -p` does: into the same file, whose time is then set back."""
    was, again = clip.stat(), _retold(clip)
    with clip.open("r+b") as file:
        file.write(again)
    os.utime(clip, ns=(was.st_atime_ns, was.st_mtime_ns))


def _retold(clip: Path) -> bytes:
    """The same clip with other pictures: equal in size and in what says where they are."""
    whole = clip.read_bytes()
    return whole[:-90_000] + bytes(byte ^ 1 for byte in whole[-90_000:])


@pytest.mark.parametrize("blow", [swapped, written_over])
async def test_a_clip_that_changes_and_keeps_its_size_and_time_arrives_as_it_is_in_the_end(
    blow: Callable[[Path], None], studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    async def strike() -> None:
        blow(clip)

    clip = make_clip(extra=200_000)
    SLOWLY.arm(world)
    await deliver_and(strike, clip, studio, world, left=1)
    the_asset(world, clip)


async def test_a_clip_that_does_not_stop_changing_is_told_and_leaves_nothing(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.engine.studio import open_studio
    from postflow.flows.deliver import deliver

    async def progress(_media: MediaFile, _served: Served) -> None:
        with clip.open("ab") as file:
            file.write(b"more")

    clip = make_clip()
    with pytest.raises(Retry) as failure:
        async with asyncio.timeout(LIMIT), open_studio(loopback_studio, progress=progress):
            await deliver(clip, studio=loopback_studio)
    assert failure.value.code == "file.changed"
    assert namesakes(world, clip) == []
    assert set(endings(world)) == {FAILED}


async def test_a_clip_that_vanishes_is_told_and_leaves_nothing(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    async def strike() -> None:
        clip.unlink()

    clip = make_clip()
    FETCHED_LATE.arm(world)
    with pytest.raises(Skip) as failure:
        await deliver_and(strike, clip, loopback_studio, world)
    assert failure.value.code == "file.missing"
    assert "deleted or renamed while it was on its way" in words(world)
    assert namesakes(world, clip) == []
    assert endings(world) == [FAILED]


@pytest.mark.parametrize("gone", ["sequence", "shot", "file"])
async def test_what_somebody_deletes_in_frameio_meanwhile_is_made_again(
    gone: str, loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.engine.studio import open_studio

    async def strike() -> None:
        async with open_studio(loopback_studio) as live:
            project = await live.find_project(live.project)
            sequence = await live.frameio.folders.ensure(project, ("2_FROM_ANIM", "SQ07"))
            shot = await live.frameio.folders.ensure(project, (*sequence.path, "UNDLM_00152"))
            (placeholder,) = (await live.frameio.folders.contents(shot)).files
        path = {
            "sequence": f"folders/{sequence.id}",
            "shot": f"folders/{shot.id}",
            "file": f"files/{placeholder.id}",
        }
        # A person deletes it, and our client does not hear of that.
        await raw(world, "DELETE", f"/v4/accounts/{world.account_id}/{path[gone]}")

    clip = make_clip()
    FETCHED_LATE.arm(world)
    delivery = await deliver_and(strike, clip, loopback_studio, world)
    assert the_asset(world, clip)["id"] == delivery.file_id
    assert endings(world) == [READY]


async def test_a_run_that_was_overtaken_leaves_the_file_to_the_other_run(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    """As after a long sleep of the machine: its lease ran out, and another run has the clip."""
    from postflow.engine.studio import open_studio
    from postflow.flows.deliver import deliver

    clip = make_clip()
    world.fault("late_answer", "files.remote_upload", seconds=600)
    async with open_studio(loopback_studio) as live:
        run = asyncio.create_task(deliver(clip, studio=loopback_studio))
        await wait_until(lambda: namesakes(world, clip), description="the request")
        await live.ledger.run(leases.end, live.run_id)
        assert await live.ledger.run(claims.claim, "the other", limit=1)
        world.release()
        with pytest.raises(StaleClaim):
            await run
    the_asset(world, clip)
    assert endings(world) == [ON_ITS_WAY]
