"""Whoever has to sign in with Adobe is told, also while no clip comes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from postflow.cli.sandbox_studio import sandbox_studio
from postflow.frameio.sign_in import FAILS
from sandbox import Sandbox
from tests.journeys.proof import words
from tests.support.enrolled import enrolled
from tests.support.wait import wait_until

pytestmark = pytest.mark.prefect

STUDIO = "signed-out"


async def test_the_look_out_tells_that_nobody_has_signed_in(
    nothing_cached: None, world: Sandbox, tmp_path: Path
) -> None:
    from blocks.setup import StudioFile, save_studio
    from blocks.studio import load_studio
    from flows.watch import watch

    enrolled(tmp_path, studio=STUDIO)
    tables = sandbox_studio(world.describe(), name=STUDIO)
    tables["adobe"] |= {"kind": "web"}
    tables["studio"]["watching"] = {"folders": [tmp_path], "interval": 0.1}
    await save_studio(StudioFile.model_validate(tables))
    why = await (await load_studio(STUDIO)).adobe.why_to_sign_in()
    assert why is not None
    assert why.code == "adobe.not_signed_in"

    watching = asyncio.create_task(watch(STUDIO))
    try:
        await wait_until(lambda: bool(world.messages()) or watching.done())
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert FAILS in words(world)
    assert "Nobody has signed in with Adobe yet. Run `postflow login`." in words(world)
