"""Two hosts have one volume and one ledger, and each its own mount point."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from postflow.errors import Fatal
from postflow.folder.root import read_mark
from postflow.ledger import Claimed, ClaimRef, Ledger, Phase, claims, hosts, queries, roots
from postflow.ledger.schema import leases
from postflow.models import Delivery
from postflow.sandbox import Sandbox
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import READY, endings, namesakes, the_asset
from tests.journeys.studios import save
from tests.support.enrolled import enrolled
from tests.support.wait import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("nothing_cached")]


async def test_a_run_finds_its_clips_though_another_host_has_the_volume_elsewhere(
    world: Sandbox, make_clip: MakeClip, tmp_path: Path
) -> None:
    from postflow.engine.studio import open_studio
    from postflow.flows.ingest import ingest

    first = make_clip("SQ07_UNDLM_00001_v001.mov")
    enrolled(first.parent, studio="two-hosts")
    watching = {"folders": [str(first.parent)], "quiet": 0.2, "interval": 0.2, "idle_timeout": 2.0}
    studio = await save(world, name="two-hosts", provider="loopback", watching=watching)
    world.fault("delay", "fetch", seconds=600)
    async with open_studio(studio) as live:
        run = asyncio.create_task(ingest(studio=studio))
        await wait_until(lambda: namesakes(world, first), description="the first clip's request")
        mark = read_mark(first.parent)
        await live.ledger.run(roots.mounted, studio, Path("/Volumes/renders"), mark.id)
        second = make_clip("SQ07_UNDLM_00002_v001.mov", extra=80)
        await wait_until(lambda: namesakes(world, second), description="the second one's")
        world.release()
        drained = await run
    assert set(drained.delivered) == {first.name, second.name}
    assert the_asset(world, first)["id"] != the_asset(world, second)["id"]
    assert endings(world) == [READY, READY]


@pytest.fixture
def shares_its_ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """As with PostgreSQL; all that is mounted here."""
    from postflow import blocks
    from postflow.service import joining

    for module in (joining, blocks.studio):
        monkeypatch.setattr(module, "is_shared", lambda _: True)
    monkeypatch.setattr(joining, "mounted", lambda: [tmp_path])
    monkeypatch.setattr(joining, "LOOK_AGAIN", 0.05)
    return tmp_path


def appears(studio: str, theirs: Path, here: Path) -> Path:
    """A volume is mounted on this host whose folder the first one has elsewhere."""
    here.mkdir()
    enrolled(here, studio=studio)
    with Ledger.open() as ledger:
        roots.mounted(ledger, studio, theirs, read_mark(here).id)
    return here


@pytest.mark.parametrize("how", ["is marked", "is named"])
async def test_a_host_that_begins_before_a_folder_is_marked_or_mounted_or_named_finds_it_later(
    world: Sandbox, shares_its_ledger: Path, how: str
) -> None:
    from postflow import blocks
    from postflow.blocks.host import own_name
    from postflow.blocks.studio import load_studio
    from postflow.service.joining import arrivals, settle_in

    theirs, here = Path("/Volumes/Post/EXPORTS"), shares_its_ledger / "EXPORTS"
    name = await save(world, name=f"begins-{how[3:]}", watching={"folders": [str(theirs)]})
    studio = await load_studio(name)
    assert await settle_in(studio, name, None) == (studio, False, False)
    if how == "is marked":
        appears(name, theirs, here)
    else:
        await blocks.Host(folders=[here]).asave(own_name(name), overwrite=True)
    async with asyncio.timeout(60):
        (found,) = [each async for each in arrivals(studio, name)]
    assert found.watching.folders == (here,)
    assert (await settle_in(found, name, None)).has_all


async def test_a_host_delivers_from_the_folder_it_has_and_looks_for_the_other(
    world: Sandbox, shares_its_ledger: Path
) -> None:
    """Nobody can be asked there whether the other is ever to be here."""
    from postflow.blocks.studio import load_studio
    from postflow.service.joining import arrivals, settle_in

    one, two = Path("/Volumes/Post/ONE"), Path("/Volumes/Post/TWO")
    name = await save(world, name="has-one", watching={"folders": [str(one), str(two)]})
    first = appears(name, one, shares_its_ledger / "ONE")
    begun = await settle_in(await load_studio(name), name, None)
    assert (begun.has_more, begun.has_all) == (True, False)
    assert set((await load_studio(name)).watching.folders) == {first, two}
    assert not (await settle_in(begun.studio, name, None)).has_more
    second = appears(name, two, shares_its_ledger / "TWO")
    async with asyncio.timeout(60):
        (found,) = [each async for each in arrivals(begun.studio, name)]
    assert set(found.watching.folders) == {first, second}


async def test_a_run_that_has_none_of_its_folders_leaves_its_place_at_once(
    world: Sandbox, tmp_path: Path
) -> None:
    """It would wait for an hour, in the only slot, beside a host that has the volume."""
    from postflow.flows.ingest import ingest

    volume = tmp_path / "volume"
    volume.mkdir()
    enrolled(volume, studio="no-volume")
    volume.rename(tmp_path / "elsewhere")
    watching = {"folders": [str(volume)], "idle_timeout": 3600.0}
    studio = await save(world, name="no-volume", provider="loopback", watching=watching)
    async with asyncio.timeout(120):
        drained = await ingest(studio=studio)
    assert not drained.delivered


async def test_what_a_lost_host_had_waits_for_no_place_and_takes_as_many_again_at_most(
    world: Sandbox, make_clip: MakeClip, tmp_path: Path
) -> None:
    from postflow.engine.studio import open_studio
    from postflow.flows.drain import Drain

    begun: list[str] = []
    may_end = asyncio.Event()
    on_their_way = most = 0

    async def deliver(path: Path, *, studio: str, claim: ClaimRef) -> Delivery:
        nonlocal on_their_way, most
        begun.append(path.name)
        on_their_way += 1
        most = max(most, on_their_way)
        await may_end.wait()
        on_their_way -= 1
        raise Fatal(f"{path.name} does not travel here.", hint="Nothing.", code="test")

    studio = await with_clips(world, make_clip, tmp_path, name="lost", clips=4, at_once=1)
    async with open_studio(studio) as live:
        run = asyncio.create_task(Drain(live, deliver, idle_timeout=0.0).run())
        await wait_until(lambda: begun, description="the first clip")
        lost: list[Claimed] = []
        async with asyncio.timeout(60):
            while len(lost) < 2:
                lost += await live.ledger.run(claims.claim, "lost", limit=1)
        await live.ledger.run(lose, "lost")
        await wait_until(lambda: len(begun) == 2, description="one that the lost host had")
        may_end.set()
        await run
    assert begun[1] in {each.name for each in lost}
    assert (most, len(begun)) == (2, 4)


async def test_who_is_done_a_moment_sooner_leaves_another_host_its_share(
    world: Sandbox, make_clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from postflow.engine.studio import open_studio
    from postflow.flows import drain

    monkeypatch.setattr(drain, "LEFT_TO_OTHERS", 600.0)
    may_end = asyncio.Semaphore(0)

    async def deliver(path: Path, *, studio: str, claim: ClaimRef) -> Delivery:
        await may_end.acquire()
        raise Fatal(f"{path.name} does not travel here.", hint="Nothing.", code="test")

    studio = await with_clips(world, make_clip, tmp_path, name="shared", clips=6, at_once=3)
    async with open_studio(studio) as live:

        async def there_are(phase: Phase, many: int) -> None:
            async with asyncio.timeout(120):
                while (await live.ledger.run(queries.counts, studio))[phase] != many:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

        drained = drain.Drain(live, deliver, idle_timeout=0.0)
        run = asyncio.create_task(drained.run())
        await there_are(Phase.ON_ITS_WAY, 3)
        await there_are(Phase.WAITING, 3)
        await live.ledger.run(two_live, studio, drained.watchers.folders)
        for many in range(1, 6):
            may_end.release()
            await there_are(Phase.FAILED, many)
        left = await live.ledger.run(claims.claim, "another", limit=6)
        run.cancel()
    assert len(left) == 1, "of three that waited the other host's share"


async def with_clips(
    world: Sandbox, make_clip: MakeClip, folder: Path, *, name: str, clips: int, at_once: int
) -> str:
    """A studio whose folder holds so many."""
    for number in range(1, clips + 1):
        make_clip(f"SQ07_UNDLM_{number:05}_v001.mov", extra=8 * number)
    enrolled(folder, studio=name)
    watching = {"folders": [str(folder)], "quiet": 0.1, "interval": 0.1, "at_once": at_once}
    return await save(world, name=name, provider="loopback", watching=watching)


def two_live(ledger: Ledger, studio: str, folders: Mapping[int, Path]) -> None:
    """This host, and one beside it that has the same folders."""
    (here,) = hosts.known(ledger, studio)
    said = here.model_dump(include=set(hosts.HostSign.model_fields))
    said |= {"folders": {root: str(path) for root, path in folders.items()}}
    other = said | {"name": "another", "machine": "another", "run_id": "another"}
    for sign in (said, other):
        hosts.sign(ledger, hosts.HostSign.model_validate(sign), lasts=timedelta(hours=1))


def lose(ledger: Ledger, run_id: str) -> None:
    """Its host has been silent for as long as its lease."""
    with ledger.writing() as tx:
        mine = update(leases).where(leases.c.run_id == run_id)
        tx.execute(mine.values(machine="elsewhere", expires_at=ledger.now()))
