"""A volume that is lost or hangs while its clips wait or travel: they wait on, others go."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from postflow.folder.root import MARKER
from postflow.ledger import State, queries
from tests.crash.conftest import MakeGround
from tests.crash.ground import Ground
from tests.crash.killing import Death
from tests.crash.record import check_delivered_once
from tests.crash.test_mount_loss import unmounted
from tests.support.enrolled import enrolled
from tests.support.wait import wait_until, wait_until_sync

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

FIRST, SECOND = "SQ07_UNDLM_00152_v001.mov", "SQ07_UNDLM_00153_v001.mov"


async def test_a_volume_that_hangs_holds_up_neither_other_folders_nor_the_end_of_the_run(
    make_ground: MakeGround, tmp_path: Path
) -> None:
    """A marker that is a pipe without a writer hangs whoever opens it, as a dead mount does."""
    good = tmp_path / "good"
    good.mkdir()
    os.mkfifo(tmp_path / MARKER)
    async with make_ground(watching={"folders": [tmp_path, good], "scan_timeout": 15.0}) as ground:
        enrolled(good, studio=ground.studio, ledger=ground.ledger)
        clip = ground.drop(FIRST).rename(good / FIRST)
        run = ground.start()
        wait_until_sync(lambda: state(ground, FIRST) is State.DONE, description="its delivery")
        assert run.ends(), "the thread that hangs keeps nobody"
        going, hanging = (ground.log(1).index(what) for what in (FIRST, "has not come back"))
        assert going < hanging, "it did not wait for the other folder"
        check_delivered_once(ground, {FIRST: clip})


async def test_a_volume_that_hangs_does_not_keep_the_look_out_from_other_folders(
    make_ground: MakeGround, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long before it is an alarm."""
    from postflow.flows.watch import watch

    good = tmp_path / "good"
    good.mkdir()
    os.mkfifo(tmp_path / MARKER)
    async with make_ground(
        watching={"folders": [tmp_path, good], "scan_timeout": 3600.0}
    ) as ground:
        monkeypatch.setenv("POSTFLOW_STATE_DIR", str(ground.state))
        enrolled(good, studio=ground.studio, ledger=ground.ledger)
        watching = asyncio.create_task(watch(ground.studio))
        ground.drop(FIRST).rename(good / FIRST)
        try:
            await wait_until(lambda: state(ground, FIRST) is State.READY, description="the clip")
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def test_clips_that_wait_are_neither_skipped_nor_told_of_while_their_volume_is_lost(
    make_ground: MakeGround,
) -> None:
    async with make_ground() as ground:
        clips = {name: ground.drop(name, atoms=n) for n, name in enumerate([FIRST, SECOND])}
        assert not ground.live(Death(at="clip claimed", moment="before"))
        with unmounted(ground.watched):
            assert ground.live()
            assert [state(ground, name) for name in clips] == [State.READY] * 2
            assert not ground.world.messages()
        assert ground.live()
        check_delivered_once(ground, clips)
        assert len(ground.world.messages()) == 2


async def test_a_clip_whose_volume_is_lost_in_mid_transfer_waits_and_goes_on_by_itself(
    make_ground: MakeGround,
) -> None:
    async with make_ground() as ground:
        ground.haste = 100.0
        ground.world.fault("delay", "fetch", seconds=600, times=1)
        clip = ground.drop(FIRST)
        run = ground.start()
        wait_until_sync(lambda: ground.world.assets(), description="the request")
        with unmounted(ground.watched):
            assert run.ends()
            with ground.open_ledger() as ledger:
                (row,) = queries.rows(ledger)
            assert (row.code, row.phase) == ("folder.away", "waiting")
            assert not ground.world.assets(), "nothing unfinished is left in Frame.io"
        assert ground.live(idle_timeout=5.0)
        check_delivered_once(ground, {FIRST: clip})
        (message,) = ground.world.messages()
        assert message["embeds"][0]["title"].endswith("is ready for review")


def state(ground: Ground, name: str) -> State | None:
    """None before the clip is known."""
    with ground.open_ledger() as ledger:
        return next((row.state for row in queries.rows(ledger, name=name)), None)
