"""What Discord is told of clips that an ingest run claimed and could not deliver."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from postflow.cli.sandbox import sandbox_studio
from postflow.engine.studio import open_studio
from postflow.errors import Fatal
from postflow.flows.drain import Deliver, Drain
from postflow.ledger import ClaimRef
from postflow.media.probe import probe_media
from postflow.models import Delivery, Drained
from postflow.sandbox import Sandbox
from postflow.service.save_studio import save_studio
from postflow.service.studio_file import StudioFile
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import titles, words
from tests.support.enrolled import enrolled

pytestmark = pytest.mark.prefect


async def vanishes(path: Path, *, studio: str, claim: ClaimRef) -> Delivery:
    """Somebody takes the clip away between the scan and its delivery."""
    await asyncio.to_thread(path.unlink)
    await probe_media(path)
    raise AssertionError("it is gone")


async def cannot_be_read(path: Path, *, studio: str, claim: ClaimRef) -> Delivery:
    raise Fatal(f"{path.name} cannot be read.", hint="See its rights.", code="file.unreadable")


async def drain(world: Sandbox, folder: Path, deliver: Deliver, *, batch: int = 10) -> Drained:
    enrolled(folder, studio="told")
    tables = sandbox_studio(world.describe(), name="told")
    tables["tunnel"] = {"provider": "loopback"}
    tables["studio"]["watching"] = {"folders": [folder], "quiet": 0.1, "batch": batch}
    await save_studio(StudioFile.model_validate(tables))
    async with open_studio("told") as live:
        return await Drain(live, deliver, idle_timeout=0.0).run()


async def test_a_clip_that_does_not_get_as_far_as_its_own_run_is_told_of(
    nothing_cached: None, world: Sandbox, make_clip: MakeClip, tmp_path: Path
) -> None:
    make_clip("SQ07_UNDLM_00152_v001.mov")
    await drain(world, tmp_path, vanishes)
    assert titles(world) == [r"SQ07 UNDLM\_00152 v001 has failed"]
    assert "There is no file" in words(world)


async def test_many_that_were_not_delivered_are_told_of_in_one_message(
    nothing_cached: None, world: Sandbox, make_clip: MakeClip, tmp_path: Path
) -> None:
    for number in range(1, 4):
        make_clip(f"SQ07_UNDLM_{number:05}_v001.mov", extra=8 * number)
    make_clip("badname.mov")
    drained = await drain(world, tmp_path, cannot_be_read, batch=2)
    assert (len(drained.failed), len(drained.skipped)) == (3, 1)
    assert titles(world) == ["4 clips were not delivered"]
    assert words(world).count("cannot be read. See its rights.") == 3
    assert words(world).count("badname.mov: ") == 1
