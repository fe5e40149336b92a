"""Whoever has to sign in with Adobe is told, also while no clip comes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from postflow.blocks.adobe import AdobeTokens
from postflow.cli.sandbox import sandbox_studio
from postflow.frameio.auth.sign_in import ENDS_SOON, FAILS
from postflow.sandbox import Sandbox
from tests.frameio.connecting import signed_in
from tests.journeys.proof import calls, titles, words
from tests.support.enrolled import enrolled
from tests.support.wait import wait_until

pytestmark = pytest.mark.prefect

STUDIO = "signed-out"


@pytest.fixture
async def adobe(nothing_cached: None, world: Sandbox, tmp_path: Path) -> AdobeTokens:
    """The sign-in of a studio in which nothing happens. Nobody has signed in."""
    from postflow.blocks.studio import load_studio
    from postflow.service.save_studio import save_studio
    from postflow.service.studio_file import StudioFile

    enrolled(tmp_path, studio=STUDIO)
    tables = sandbox_studio(world.describe(), name=STUDIO)
    tables["adobe"] |= {"kind": "web"}
    tables["studio"]["watching"] = {"folders": [tmp_path], "interval": 0.1}
    await save_studio(StudioFile.model_validate(tables))
    return (await load_studio(STUDIO)).adobe


async def test_the_look_out_tells_that_nobody_has_signed_in(
    world: Sandbox, adobe: AdobeTokens
) -> None:
    from postflow.flows.watch import watch

    why = await adobe.why_to_sign_in()
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


async def test_runs_by_the_clock_renew_it_where_no_look_out_does(
    world: Sandbox, adobe: AdobeTokens
) -> None:
    from postflow.flows.ingest import ingest

    source = adobe.get_client()
    await source.adopt(signed_in(world, lasts=0))
    for _ in range(2):
        await ingest(STUDIO, idle_timeout=0.0)
    assert calls(world, "ims.token") == 1
    assert titles(world) == []
    short = {"refresh_token": None}
    await source.adopt(signed_in(world, lasts=2 * 86400).model_copy(update=short))
    for _ in range(2):
        await ingest(STUDIO, idle_timeout=0.0)
    assert len(titles(world)) == 1
    assert ENDS_SOON in words(world)
