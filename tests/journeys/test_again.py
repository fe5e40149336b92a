"""The same clip once more: nothing twice, nothing taken for what it is not."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from postflow.delivery.record import DeliveryRecord
from postflow.errors import PostFlowError, Retry
from postflow.ledger import Ledger, Phase, queries
from postflow.models import Delivery
from postflow.sandbox import Sandbox
from tests.journeys.commands import answer, postflow
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import READY, calls, endings, namesakes, sha256, the_asset
from tests.journeys.studios import save
from tests.support.enrolled import enrolled
from tests.support.wait import wait_until

pytestmark = pytest.mark.prefect


async def test_a_clip_delivered_again_makes_no_second_asset_and_is_not_told_again(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.flows.deliver import deliver

    clip = make_clip()
    first = await deliver(clip, studio=loopback_studio)
    again = await deliver(clip, studio=loopback_studio)
    assert (again.file_id, again.adopted) == (first.file_id, True)
    assert the_asset(world, clip)["created"] == 1
    assert endings(world) == [READY]


async def test_a_new_time_stamp_alone_makes_no_second_asset(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.flows.deliver import deliver

    clip = make_clip()
    first = await deliver(clip, studio=loopback_studio)
    os.utime(clip)
    again = await deliver(clip, studio=loopback_studio)
    assert again.file_id == first.file_id
    assert the_asset(world, clip)["created"] == 1


def copy_of(clip: Path, folder: Path) -> Path:
    """As by a tool that keeps no times, ten minutes later."""
    folder.mkdir()
    copy = Path(shutil.copyfile(clip, folder / clip.name))
    later = clip.stat().st_mtime + 600
    os.utime(copy, (later, later))
    return copy


@pytest.mark.parametrize("cached", [True, False])
async def test_the_same_clip_under_another_path_makes_no_second_asset_and_is_told_once(
    cached: bool, loopback_studio: str, world: Sandbox, make_clip: MakeClip, tmp_path: Path
) -> None:
    from postflow.flows.deliver import deliver

    clip = make_clip()
    first = await deliver(clip, studio=loopback_studio)
    if not cached:
        shutil.rmtree(tmp_path / "results")
    again = await deliver(copy_of(clip, tmp_path / "other"), studio=loopback_studio)
    assert (again.file_id, again.adopted) == (first.file_id, True)
    assert the_asset(world, clip)["created"] == 1
    assert endings(world) == [READY]


async def test_the_same_clip_under_another_path_is_told_if_it_was_deleted_meanwhile(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip, tmp_path: Path
) -> None:
    from postflow.engine.studio import open_studio
    from postflow.flows.deliver import deliver

    clip = make_clip()
    first = await deliver(clip, studio=loopback_studio)
    async with open_studio(loopback_studio) as live:
        await live.frameio.files.delete(first.remote)
    again = await deliver(copy_of(clip, tmp_path / "other"), studio=loopback_studio)
    assert the_asset(world, clip)["id"] == again.file_id != first.file_id
    assert endings(world) == [READY, READY]


@pytest.fixture
def slow_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes its time to note an arrival, as under load."""
    arrived = DeliveryRecord.arrived

    async def late(self: DeliveryRecord, *about: Any) -> None:
        await asyncio.sleep(0.5)
        await arrived(self, *about)

    monkeypatch.setattr(DeliveryRecord, "arrived", late)


@pytest.mark.usefixtures("nothing_cached", "slow_ledger")
async def test_both_paths_of_a_clip_handed_over_at_once_are_one_asset(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip, tmp_path: Path
) -> None:
    from postflow.flows.deliver import deliver

    clip = make_clip()
    both = (clip, copy_of(clip, tmp_path / "other"))
    first, second = await asyncio.gather(*(deliver(each, studio=loopback_studio) for each in both))
    assert {first.file_id, second.file_id} == {the_asset(world, clip)["id"]}
    assert calls(world, "files.remote_upload") == 1
    assert set(endings(world)) == {READY}


@pytest.mark.usefixtures("nothing_cached")
async def test_the_same_clip_in_two_watch_folders_at_once_is_one_asset_and_told_once(
    world: Sandbox, make_clip: MakeClip, tmp_path: Path
) -> None:
    from postflow.flows.ingest import ingest

    clip = make_clip()
    folders = [clip.parent, copy_of(clip, tmp_path / "other").parent]
    enrolled(*folders, studio="two-folders")
    watching = {"folders": [str(each) for each in folders], "quiet": 0.2, "idle_timeout": 2.0}
    studio = await save(world, name="two-folders", provider="loopback", watching=watching)
    await ingest(studio=studio)
    assert the_asset(world, clip)["created"] == 1
    assert endings(world) == [READY]


async def test_a_machine_that_knows_nothing_finds_the_clip_in_frameio(
    loopback_studio: str,
    world: Sandbox,
    make_clip: MakeClip,
    private_state: Path,
    tmp_path: Path,
) -> None:
    from postflow.flows.deliver import deliver

    clip = make_clip()
    first = await deliver(clip, studio=loopback_studio)
    shutil.rmtree(private_state)
    shutil.rmtree(tmp_path / "results")
    again = await deliver(clip, studio=loopback_studio)
    assert (again.file_id, again.adopted) == (first.file_id, True)
    assert the_asset(world, clip)["created"] == 1


async def test_a_new_export_of_the_same_name_is_another_asset(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.flows.deliver import deliver

    clip = make_clip()
    first, first_hash = await deliver(clip, studio=loopback_studio), sha256(clip)
    clip = make_clip(extra=1000)
    second = await deliver(clip, studio=loopback_studio)
    assert {asset["id"]: asset["sha256"] for asset in namesakes(world, clip)} == {
        first.file_id: first_hash,
        second.file_id: sha256(clip),
    }
    assert not second.adopted
    assert endings(world) == [READY, READY]


async def test_a_new_export_of_equal_size_is_not_taken_for_the_old_one(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    """Name and size are the same, and Frame.io has no checksum to tell them apart."""
    from postflow.flows.deliver import deliver

    clip = make_clip()
    await deliver(clip, studio=loopback_studio)
    data = bytearray(clip.read_bytes())
    data[data.index(b"mdat") + 100] ^= 1
    clip.write_bytes(data)
    second = await deliver(clip, studio=loopback_studio)
    (asset,) = [a for a in world.assets() if a["id"] == second.file_id]
    assert asset["sha256"] == sha256(clip)
    assert len(namesakes(world, clip)) == 2


@pytest.mark.parametrize("gone", ["folder", "file"])
async def test_what_was_deleted_in_frameio_between_two_runs_is_delivered_again(
    gone: str, loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.engine.studio import open_studio
    from postflow.flows.deliver import deliver

    clip = make_clip()
    first = await deliver(clip, studio=loopback_studio)
    async with open_studio(loopback_studio) as live:
        if gone == "folder":
            await live.frameio.folders.delete(first.folder)
        else:
            await live.frameio.files.delete(first.remote)
    again = await deliver(clip, studio=loopback_studio)
    assert the_asset(world, clip)["id"] == again.file_id != first.file_id
    with Ledger.open() as ledger:
        (row,) = queries.rows(ledger, phase=Phase.DELIVERED)
    assert (row.file_id, row.view_url) == (again.file_id, again.view_url)
    assert endings(world) == [READY]
    (message,) = world.messages()
    assert again.view_url in str(message["embeds"])
    assert first.view_url not in str(message["embeds"])


async def test_after_a_failure_a_later_run_delivers_once(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.flows.deliver import deliver

    clip = make_clip()
    world.fault("upload_failed", "files.remote_upload", times=3)
    with pytest.raises(Retry):
        await deliver(clip, studio=loopback_studio)
    delivery = await deliver(clip, studio=loopback_studio)
    assert the_asset(world, clip)["id"] == delivery.file_id
    assert endings(world) == [READY]


async def test_two_runs_at_once_deliver_a_clip_once(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.flows.deliver import deliver

    clip = make_clip()
    outcomes = await asyncio.gather(
        deliver(clip, studio=loopback_studio),
        deliver(clip, studio=loopback_studio),
        return_exceptions=True,
    )
    assert {type(outcome) for outcome in outcomes} <= {Delivery, Retry}
    assert Delivery in {type(outcome) for outcome in outcomes}
    assert all(o.code == "clip.busy" for o in outcomes if isinstance(o, PostFlowError))
    assert the_asset(world, clip)["created"] == 1
    assert calls(world, "files.remote_upload") == 1
    assert endings(world) == [READY]


async def test_two_processes_at_once_deliver_a_clip_once(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.flows.deliver import deliver

    clip = make_clip()
    world.fault("delay", "fetch", seconds=600)
    other = await postflow("upload", clip, "--studio", loopback_studio, "--json")
    await wait_until(lambda: calls(world, "files.remote_upload"), description="the other one")
    state = await deliver(clip, studio=loopback_studio, return_state=True)
    outcome = await state.aresult(raise_on_failure=False)
    world.release()

    (told,) = await answer(other)
    assert the_asset(world, clip)["id"] == told["file_id"]
    assert getattr(outcome, "code", None) == "clip.busy"
    assert calls(world, "files.remote_upload") == 1
    assert endings(world) == [READY]
