"""A person puts a clip first, or cancels it, from another process while an `ingest` is at work."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prefect import Flow, get_client
from prefect.client.schemas.objects import State, StateType
from prefect.flow_engine import run_flow_async
from prefect.states import Cancelling

from postflow.cli.queue import cancel_all, cancel_named, put_first
from postflow.cli.status import tell_status
from postflow.delivery import direct
from postflow.delivery.announcements import of_cancelled
from postflow.ledger import Announcement, Clip, Ledger, Phase, progress, queries, retrying
from postflow.models import Drained, MediaFile
from postflow.naming import Naming
from postflow.sandbox import Sandbox
from tests.journeys.conftest import MakeClip
from tests.journeys.faults import ALWAYS
from tests.journeys.proof import FAILED, READY, calls, endings, namesakes, the_asset, words
from tests.journeys.runs import run_for
from tests.journeys.studios import save
from tests.support.enrolled import enrolled
from tests.support.wait import wait_until

pytestmark = pytest.mark.prefect

NAMES = [f"SQ07_UNDLM_0000{number}_v001.mov" for number in range(1, 7)]
CLIP = NAMES[0]
LONG = 4_000_000
SLOW = 150_000
WAYS: dict[str, dict[str, Any]] = {
    "tunnel": {"provider": "loopback"},
    "direct": {"transfer": "direct", "has_tunnel": False},
}
LIMIT = 120.0


@pytest.fixture(scope="module")
def shared_world() -> Iterator[Sandbox]:
    with Sandbox(rate_scale=20, part_bytes=1_000_000) as running:
        yield running


@pytest.fixture
def quick(world: Sandbox) -> Iterator[Callable[[], None]]:
    """Frame.io takes bytes slowly, until this is called."""

    def hurry() -> None:
        world.mend()
        world.turn(fetch_style="get")

    world.turn(fetch_style="slow", fetch_rate=SLOW)
    world.fault("rate", "parts.put", bytes_per_second=SLOW, times=ALWAYS)
    yield hurry
    hurry()


@pytest.fixture
async def studio_by(
    nothing_cached: None, world: Sandbox, make_clip: MakeClip, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Saves a studio that sends by that way; its watch folder is where the clips are made."""
    monkeypatch.setattr(direct, "PIECE", 20_000)

    async def saved(way: str, **watching: Any) -> str:
        folder = make_clip(CLIP, extra=LONG).parent
        enrolled(folder, studio=way)
        usual = {"folders": [str(folder)], "quiet": 0.2, "interval": 0.2, "idle_timeout": 0.5}
        return await save(world, name=way, watching=usual | watching, **WAYS[way])

    return saved


@asynccontextmanager
async def ingesting(studio: str) -> AsyncIterator[asyncio.Task[Drained]]:
    """An `ingest` beside the block; its end is waited for."""
    from postflow.flows.ingest import ingest

    run: asyncio.Task[Drained] = asyncio.create_task(ingest(studio=studio))
    try:
        yield run
        async with asyncio.timeout(LIMIT):
            await asyncio.wait([run])
    finally:
        run.cancel()


def clip_called(ledger: Ledger, name: str = CLIP) -> Clip:
    return queries.rows(ledger, name=name)[0]


def announce(studio: str) -> Callable[[int, MediaFile], Announcement | None]:
    def announced(clip: int, media: MediaFile) -> Announcement | None:
        return of_cancelled(studio, Naming.preset(), clip, media, project="Demo")

    return announced


@pytest.mark.parametrize("way", WAYS)
async def test_a_clip_on_its_way_is_seen_from_elsewhere_cancelled_and_delivered_after_all(
    way: str,
    studio_by: Callable[..., Any],
    world: Sandbox,
    make_clip: MakeClip,
    quick: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    from postflow.flows.ingest import ingest

    studio, clip = await studio_by(way), make_clip(CLIP, extra=4 * LONG)  # more than sockets hold
    with Ledger.open() as ledger:
        async with ingesting(studio) as run:
            await wait_until(
                lambda: any(each.rate for each in progress.travelling(ledger, studio).values()),
                description="its rate in the ledger",
            )
            tell_status(ledger, studio, json=True)
            told = json.loads(capsys.readouterr().out)
            (row,) = told["clips"]
            assert row["progress"]["sent"] + row["progress"]["left"] == clip.stat().st_size
            assert told["left"]["clips"] == 1
            assert 0 < told["left"]["bytes"] < clip.stat().st_size
            assert cancel_named(ledger, studio, [CLIP, str(clip)], [], announce(studio))
        assert "its run stops it within seconds" in (said := capsys.readouterr().out)
        assert "is being stopped already" in said
        assert list(run.result().failed) == [CLIP]
        failed = clip_called(ledger)
        assert (failed.phase, failed.code) == (Phase.FAILED, "clip.cancelled")
        assert namesakes(world, clip) == []
        assert endings(world) == [FAILED]
        assert "cancelled" in words(world)

        quick()
        retrying.retry(ledger, CLIP, studio=studio)
        assert list((await ingest(studio=studio)).delivered) == [CLIP]
        asset = the_asset(world, clip)
        assert endings(world) == [READY]
        assert not cancel_named(ledger, studio, [CLIP], [], announce(studio))
        assert f"{CLIP} is delivered" in capsys.readouterr().err
    assert the_asset(world, clip)["id"] == asset["id"]


async def test_the_clip_that_is_put_first_is_the_next(
    studio_by: Callable[..., Any],
    world: Sandbox,
    make_clip: MakeClip,
    quick: Callable[[], None],
) -> None:
    studio = await studio_by("tunnel", at_once=1)
    with Ledger.open() as ledger:
        async with ingesting(studio) as run:
            await wait_until(lambda: world.assets(), description="the first one on its way")
            for name in NAMES[1:4]:
                make_clip(name, extra=80)
            await wait_until(
                lambda: queries.counts(ledger)[Phase.WAITING] == 3, description="those that wait"
            )
            assert put_first(ledger, studio, [NAMES[3], NAMES[2]])
            assert put_first(ledger, studio, [CLIP]), "it travels already"
            quick()
            assert cancel_named(ledger, studio, [CLIP], [], announce(studio))
        assert list(run.result().delivered) == [NAMES[3], NAMES[2], NAMES[1]]


async def test_all_are_cancelled_at_once_and_none_is_left_in_frameio(
    studio_by: Callable[..., Any],
    world: Sandbox,
    make_clip: MakeClip,
    quick: Callable[[], None],
) -> None:
    from postflow.flows.ingest import ingest

    studio = await studio_by("tunnel")
    clips = [make_clip(name, extra=LONG + 8 * n) for n, name in enumerate(NAMES)]
    with Ledger.open() as ledger:
        async with ingesting(studio) as run:
            await wait_until(
                lambda: len(world.assets()) == 4 and queries.counts(ledger)[Phase.WAITING] == 2,
                description="four on their way",
            )
            assert cancel_all(ledger, studio, announce(studio), asks=False)
        assert run.result().delivered == {}
        assert queries.counts(ledger)[Phase.FAILED] == len(NAMES)
        assert world.assets() == []
        quick()
        retrying.retry(ledger, studio=studio)
        assert sorted((await ingest(studio=studio)).delivered) == NAMES
    for clip in clips:
        the_asset(world, clip)


async def test_what_a_run_left_in_frameio_goes_with_the_cancelled_clip(
    studio_by: Callable[..., Any],
    world: Sandbox,
    make_clip: MakeClip,
    quick: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    from postflow.flows.ingest import ingest

    studio, clip = await studio_by("tunnel"), make_clip(CLIP, extra=LONG)
    with Ledger.open() as ledger:
        world.fault("status", "files.delete", code=403, times=ALWAYS)
        async with ingesting(studio) as run:
            await wait_until(lambda: calls(world, "files.status"), description="the transfer")
            run.cancel()
        assert len(namesakes(world, clip)) == 1
        world.mend("files.delete")
        assert cancel_named(ledger, studio, [CLIP], [], announce(studio))
        assert "the next ingest removes what is left of it" in capsys.readouterr().out
        drained = await ingest(studio=studio)
        assert list(drained.failed) == [CLIP]
        assert clip_called(ledger).code == "clip.cancelled"
    assert namesakes(world, clip) == []
    assert endings(world) == [FAILED]


async def test_a_clip_sent_by_hand_is_cancelled_like_any_other(
    studio_by: Callable[..., Any],
    world: Sandbox,
    make_clip: MakeClip,
    quick: Callable[[], None],
) -> None:
    studio, clip = await studio_by("direct"), make_clip(CLIP, extra=LONG)
    with Ledger.open() as ledger:
        sending = asyncio.create_task(run_for(clip, studio))
        await wait_until(lambda: namesakes(world, clip), description="the placeholder")
        assert cancel_named(ledger, studio, [CLIP], [], announce(studio))
        async with asyncio.timeout(LIMIT):
            run = await sending
    assert run.state is not None
    assert run.state.type is StateType.CANCELLED
    assert "postflow retry" in str(run.state.message)
    assert namesakes(world, clip) == []
    assert endings(world) == [FAILED]


@pytest.mark.parametrize(("by", "phase"), [("a person", Phase.FAILED), ("up", Phase.WAITING)])
async def test_a_run_of_the_deployment_that_a_person_cancels_is_not_taken_up_again(
    by: str,
    phase: Phase,
    studio_by: Callable[..., Any],
    world: Sandbox,
    make_clip: MakeClip,
    quick: Callable[[], None],
) -> None:
    """Prefect's runner ends it by SIGTERM, as `up` does when it stops."""
    from postflow.flows import deliver as module

    deliver: Flow[..., Any] = module.deliver
    studio, clip = await studio_by("tunnel"), make_clip(CLIP, extra=LONG)
    given = {"path": str(clip), "studio": studio}
    async with get_client() as client:
        deployment = await client.create_deployment(await client.create_flow(deliver), name=studio)
        run = await client.create_flow_run_from_deployment(deployment, parameters=given)
        sending = asyncio.create_task(
            run_flow_async(deliver, flow_run=run, parameters=given, return_type="state")
        )
        await wait_until(lambda: calls(world, "files.status"), description="the transfer")
        if by == "a person":
            await client.set_flow_run_state(run.id, Cancelling())
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(LIMIT):
            state = await sending
    assert isinstance(state, State)
    assert state.is_cancelled()
    assert ("cancelled" in str(state.message)) == (phase is Phase.FAILED)
    assert namesakes(world, clip) == []
    with Ledger.open() as ledger:
        assert clip_called(ledger).phase is phase
    assert (endings(world) == [FAILED]) == (phase is Phase.FAILED)
