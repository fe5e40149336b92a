"""Waiting for a file to be whole in Frame.io, which may be too busy to say so."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from postflow.delivery import polling
from postflow.delivery.arrival import Late, Sending, await_arrival
from postflow.delivery.by_tunnel import by_tunnel
from postflow.delivery.polling import Finishing
from postflow.errors import Fatal, PostFlowError, Retry
from postflow.frameio import FrameioClient
from postflow.media.probe import probe_media
from postflow.models import RemoteFile
from postflow.outlet import Outlet, Served
from postflow.outlet.tunnel import StaticProvider
from postflow.sandbox import Sandbox
from postflow.settings import RetryPolicy
from tests.frameio.altered import Altered, changing
from tests.frameio.connecting import QUICK, calls, connected, project_of, raw

NAME = "SQ07_UNDLM_00152_v003.mov"
POLICY = RetryPolicy(poll=0.02, stall=60, total=60)
HURRIED = QUICK.model_copy(update={"attempts": 1, "refusals": 1})
BUSY: list[dict[str, Any]] = [
    {"what": "rate_limited"},
    {"what": "status", "code": 503},
    {"what": "reset"},
    {"what": "lost_answer"},
    {"what": "status", "code": 200, "body": "<html>a proxy"},
]


async def no_progress(_served: Served) -> None: ...


async def not_late(_why: Retry | None) -> None: ...


@asynccontextmanager
async def travelling(
    world: Sandbox, folder: Path, **client: Any
) -> AsyncIterator[tuple[FrameioClient, Sending, RemoteFile]]:
    """A clip that Frame.io was asked to fetch."""
    path = folder / NAME
    path.write_bytes(random.Random(5).randbytes(200_000))
    outlet = Outlet(StaticProvider())
    async with connected(world, folder, retries=HURRIED, **client) as frameio:
        place = await frameio.folders.ensure(project_of(world), ("SQ07",))
        async with by_tunnel(frameio, outlet, await probe_media(path)) as sending:
            yield frameio, sending, await sending.request(place, frozenset())


async def arrived(
    world: Sandbox,
    folder: Path,
    *,
    policy: RetryPolicy = POLICY,
    late: Late = not_late,
    **client: Any,
) -> RemoteFile:
    async with travelling(world, folder, **client) as (frameio, sending, remote):
        return await await_arrival(
            frameio,
            sending,
            await probe_media(folder / NAME),
            remote,
            policy=policy,
            progress=no_progress,
            late=late,
            finishing=Finishing(),
        )


def wordless(where: str) -> Altered | None:
    """A file whose own status says nothing is asked for by the upload's."""
    is_asked = where == "files.status"
    return Altered(changing("file", status="processing")) if is_asked else None


@pytest.mark.parametrize("where", ["files.status", "files.show"])
@pytest.mark.parametrize("busy", BUSY, ids=lambda busy: f"{busy['what']}-{busy.get('code')}")
async def test_a_call_that_fails_is_no_verdict_on_the_transfer(
    where: str, busy: dict[str, Any], tmp_path: Path
) -> None:
    with Sandbox(rate_scale=100) as world:
        world.fault(where=where, **busy, times=5)
        assert (await arrived(world, tmp_path, transport=wordless(where))).size == 200_000
        assert calls(world, where) > 5
        assert calls(world, "files.remote_upload") == 1


@pytest.mark.parametrize("where", ["files.status", "files.show"])
async def test_who_cannot_be_asked_to_the_end_is_not_said_to_have_stopped(
    where: str, tmp_path: Path
) -> None:
    with Sandbox(rate_scale=100) as world:
        world.fault("status", where=where, code=500, times=None)
        policy = POLICY.model_copy(update={"total": 0.3})
        with pytest.raises(Retry) as raised:
            await arrived(world, tmp_path, policy=policy, transport=wordless(where))
    assert raised.value.code == "frameio.busy"


@pytest.mark.parametrize(
    "odd",
    [{"status": "processing"}, {"status": None}, {"file_size": None}, {"status": "archived"}],
    ids=str,
)
async def test_a_status_that_nobody_knows_holds_up_no_clip_that_has_arrived(
    odd: dict[str, object], tmp_path: Path
) -> None:
    with Sandbox(rate_scale=100) as world:
        remote = await arrived(world, tmp_path, transport=Altered(changing("file", **odd)))
        assert [asset["id"] for asset in world.assets()] == [remote.id]


async def test_a_slow_finish_is_waited_for(tmp_path: Path) -> None:
    with Sandbox(rate_scale=100, finish_seconds=0.5) as world:
        assert (await arrived(world, tmp_path)).size == 200_000


@pytest.mark.parametrize("away", [True, False])
async def test_that_it_takes_long_after_the_last_byte_is_told_once(
    away: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "LATE", 0.1)
    told: list[Retry | None] = []

    async def late(why: Retry | None) -> None:
        told.append(why)

    with Sandbox(rate_scale=100, finish_seconds=1.5) as world:
        if away:
            world.fault("status", where="files.*", code=503, times=100, skip=1)
        await arrived(world, tmp_path, late=late)
    assert [why and why.code for why in told] == ["frameio.busy" if away else None]


@pytest.mark.parametrize("end", ["failed", "deleted"])
async def test_an_end_is_noticed_while_no_byte_flows(end: str, tmp_path: Path) -> None:
    with Sandbox(rate_scale=100) as world:
        world.fault("delay", where="fetch", seconds=600)
        async with travelling(world, tmp_path) as (frameio, sending, remote):
            if end == "failed":
                world.fault("upload_failed", where="files.status")
            else:
                await raw(world, "DELETE", f"/v4/accounts/{remote.account_id}/files/{remote.id}")
            with pytest.raises(PostFlowError) as raised:
                await await_arrival(
                    frameio,
                    sending,
                    await probe_media(tmp_path / NAME),
                    remote,
                    policy=POLICY,
                    progress=no_progress,
                    late=not_late,
                    finishing=Finishing(),
                )
    expected = (Retry, "frameio.upload_failed") if end == "failed" else (Fatal, "frameio.not_found")
    assert (type(raised.value), raised.value.code) == expected


@pytest.mark.parametrize(
    ("limit", "code"),
    [(300_000, "frameio.storage_full"), (900_000, "frameio.upload_failed"), (None, None)],
)
async def test_a_fetch_that_fails_in_a_full_account_is_told_as_that(
    limit: int | None, code: str | None, tmp_path: Path
) -> None:
    with Sandbox(rate_scale=100) as world:
        home = {"id": world.account_id, "display_name": "Studio", "storage_usage": 299_000}
        page = {"data": [home | {"storage_limit": limit}], "links": {"next": None}}
        world.fault("status", "accounts.list", code=200 if limit else 500, body=page)
        world.fault("upload_failed", where="files.remote_upload")
        with pytest.raises(PostFlowError) as raised:
            await arrived(world, tmp_path)
    assert raised.value.code == (code or "frameio.upload_failed")
