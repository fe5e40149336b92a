"""An `ingest` run that stays takes the next clip at once, and ends when it should."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prefect import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from postflow.engine.studio import open_studio
from postflow.flows import staying
from postflow.folder.watchers import folder_watchers
from postflow.ledger import Ledger, hosts
from postflow.models import Drained
from postflow.sandbox import Sandbox
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import READY, endings
from tests.journeys.runs import once
from tests.journeys.studios import save
from tests.support.enrolled import enrolled
from tests.support.wait import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("nothing_cached")]

FIRST, SECOND = "SQ07_UNDLM_00001_v001.mov", "SQ07_UNDLM_00002_v001.mov"
LIMIT = 60.0


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staying, "LOOK_AGAIN", 0.2)


@asynccontextmanager
async def staying_in(
    world: Sandbox, folder: Path, name: str
) -> AsyncIterator[asyncio.Task[Drained]]:
    """A run that stays while the block lasts, in a folder that a watcher looks after."""
    from postflow.flows.ingest import ingest

    watching = {"folders": [folder], "quiet": 0.1, "interval": 0.1, "idle_timeout": 0.0}
    enrolled(folder, studio=name)
    await save(world, name=name, provider="loopback", watching=watching)
    async with open_studio(name) as live:
        watchers = folder_watchers(live.ledger, name, live.settings.watching)
        async with watchers:
            while not watchers.last:
                await watchers.wait(0.1)
            yield (run := asyncio.create_task(ingest(studio=name, stay=True)))
        async with asyncio.timeout(LIMIT):
            await run


async def tables(studio: str, many: int) -> list[list[str]]:
    """The clips of each table that a run has left so far."""
    only = ArtifactFilter(key=ArtifactFilterKey(any_=[f"ingest-{studio}"]))
    async with get_client() as client:
        found = await once(
            lambda found: len(found) >= many,
            lambda: client.read_artifacts(artifact_filter=only),
            timeout=LIMIT,
        )
    return [[row["clip"] for row in json.loads(str(each.data))] for each in found]


async def test_the_next_clip_goes_by_the_same_run_until_nobody_watches(
    world: Sandbox, make_clip: MakeClip
) -> None:
    folder = make_clip(FIRST).parent
    async with staying_in(world, folder, "staying"):
        assert await tables("staying", 1) == [[FIRST]]
        with Ledger.open() as ledger:
            await wait_until(
                lambda: [each.lives for each in hosts.known(ledger, "staying")] == [True],
                description="the host to be known as living while it stays",
            )
        make_clip(SECOND, extra=80)
        assert sorted(await tables("staying", 2)) == [[FIRST], [SECOND]], "each is told once"
    assert endings(world) == [READY, READY]


async def test_a_run_whose_set_up_has_changed_makes_place_for_the_next(
    world: Sandbox, make_clip: MakeClip
) -> None:
    folder = make_clip(FIRST).parent
    async with staying_in(world, folder, "set-up-anew") as run:
        assert await tables("set-up-anew", 1) == [[FIRST]]
        watching = {"folders": [folder], "quiet": 0.2, "interval": 0.1}
        await save(world, name="set-up-anew", provider="loopback", watching=watching)
        async with asyncio.timeout(LIMIT):
            await run
