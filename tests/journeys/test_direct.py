"""Direct upload, without a tunnel: the same journey, the same proof, whatever happens to a part."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from postflow.delivery import direct
from postflow.errors import Retry
from postflow.ledger import Ledger, Phase, queries
from postflow.ledger.errors import disk_full
from postflow.ledger.schema import parts
from postflow.models import Delivery
from postflow.sandbox import Sandbox
from tests.journeys.conftest import QUICK_PARTS, MakeClip
from tests.journeys.faults import ALWAYS, Fault, arm_all, fault, named
from tests.journeys.proof import FAILED, READY, armed, calls, endings, namesakes, the_asset, words
from tests.journeys.runs import artifacts_of, run_for
from tests.journeys.studios import save
from tests.journeys.test_cancelled import cancel, delivers_now
from tests.journeys.test_midway import deliver_and, swapped, written_over
from tests.support.stumbling import stumbling

pytestmark = pytest.mark.prefect

LIMIT = 120.0
PUT, ASK = "parts.put", "files.local_upload"
PARTS = 4
LAST = PARTS - 1
TRIES = QUICK_PARTS.attempts


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small enough to make many of a small clip."""
    monkeypatch.setattr(direct, "PIECE", 20_000)


@pytest.fixture(scope="module")
def shared_world() -> Iterator[Sandbox]:
    with Sandbox(rate_scale=10, part_bytes=60_000) as running:
        yield running


@pytest.fixture
async def direct_studio(nothing_cached: None, world: Sandbox, saved: dict[str, str]) -> str:
    """A studio that has no tunnel."""
    if saved.get("direct") != world.url:
        await save(world, name="direct", transfer="auto", has_tunnel=False)
        saved["direct"] = world.url
    return "direct"


@pytest.fixture
def clip(make_clip: MakeClip) -> Path:
    return make_clip(extra=100_000)


async def sent(clip: Path, studio: str) -> Delivery:
    from postflow.flows.deliver import deliver

    async with asyncio.timeout(LIMIT):
        return await deliver(clip, studio=studio)


def unsent_parts() -> int:
    """How many part addresses the ledger holds."""
    with Ledger.open() as ledger, ledger.reading() as tx:
        return len(tx.execute(parts.select()).all())


async def test_a_studio_without_a_tunnel_delivers_and_says_which_way(
    direct_studio: str, world: Sandbox, clip: Path
) -> None:
    left = await artifacts_of(await run_for(clip, direct_studio))
    the_asset(world, clip)
    assert endings(world) == [READY]
    assert "directly" in words(world)
    assert "| Way | directly |" in str(left["markdown"].data)
    assert [calls(world, op) for op in (ASK, PUT, "files.remote_upload")] == [1, PARTS, 0]
    with Ledger.open() as ledger:
        assert [row.way for row in queries.rows(ledger, phase=Phase.DELIVERED)] == ["direct"]
    assert unsent_parts() == 0


PASSING = [
    (
        fault("lost_answer", ASK),
        fault("status", PUT, code=500),
        fault("reset", PUT, skip=1),
        fault("cut", PUT, skip=2, after_bytes=30_000),
        fault("rate_limited", PUT, skip=LAST),
    ),
    (
        fault("lost_answer", ASK, code=502),
        fault("delay", PUT, seconds=0.2),
        fault("corrupt", PUT, skip=1),
        fault("lost_answer", PUT, skip=2),
        fault("rate", PUT, skip=LAST, bytes_per_second=200_000),
    ),
    (fault("token_expiry", ASK), fault("status", PUT, code=503, skip=LAST, times=2)),
    (fault("lost_answer", PUT, skip=LAST),),
    (fault("expired", PUT, skip=1),),
    (fault("status", PUT, code=403, skip=LAST),),
    (fault("corrupt", PUT, skip=LAST),),
    (fault("corrupt", PUT, times=3 * TRIES),),
    (
        fault("upload_failed", "files.status"),
        fault("status", "files.delete", code=500),
        fault("rate", PUT, skip=LAST, bytes_per_second=20_000),
    ),
    (fault("reset", PUT, skip=1, times=3 * TRIES),),
]


@pytest.mark.parametrize("faults", PASSING, ids=named)
async def test_after_faults_that_pass_the_clip_is_delivered_once(
    faults: tuple[Fault, ...], direct_studio: str, world: Sandbox, clip: Path
) -> None:
    arm_all(world, faults)
    delivery = await sent(clip, direct_studio)
    assert the_asset(world, clip)["id"] == delivery.file_id
    assert endings(world) == [READY]
    assert unsent_parts() == 0
    assert armed(world) == []


@pytest.mark.parametrize(
    ("trouble", "code", "stays"),
    [
        (fault("reset", PUT, times=ALWAYS), "frameio.unreachable", True),
        (fault("status", PUT, skip=1, code=500, times=ALWAYS), "frameio.busy", True),
        (fault("expired", PUT, times=ALWAYS), "frameio.parts_expired", False),
        (fault("status", PUT, code=404, times=ALWAYS), "frameio.part_refused", False),
        (fault("corrupt", PUT, times=ALWAYS), "frameio.part_altered", False),
        (fault("lost_answer", ASK, times=ALWAYS), "frameio.unsettled", False),
    ],
    ids=str,
)
async def test_a_fault_that_stays_is_a_clear_failure_and_leaves_nothing_but_what_can_go_on(
    trouble: Fault, code: str, stays: bool, direct_studio: str, world: Sandbox, clip: Path
) -> None:
    trouble.arm(world)
    with pytest.raises(Retry) as failure:
        await sent(clip, direct_studio)
    assert failure.value.code == code
    assert len(namesakes(world, clip)) == stays
    assert endings(world) == [FAILED]
    assert unsent_parts() == PARTS * stays
    if stays:
        await goes_on(world, clip, direct_studio)


async def goes_on(world: Sandbox, clip: Path, studio: str, *, unheard: int = 0) -> None:
    """The next run sends the rest, in the same file; `unheard`: parts whose arrival nobody heard of
    may be sent again.
    """
    world.mend(PUT)
    await sent(clip, studio)
    the_asset(world, clip)
    assert [calls(world, op) for op in (ASK, "files.delete")] == [1, 0]
    assert len(set(taken(world))) == PARTS
    assert len(taken(world)) <= PARTS + unheard
    assert unsent_parts() == 0


def taken(world: Sandbox) -> list[str]:
    """The parts that the store took, as often as it did."""
    return [r["path"] for r in world.requests() if r["op"] == PUT and r["status"] == 200]


async def test_by_hand_it_goes_on_once_the_full_disk_has_room(
    direct_studio: str, world: Sandbox, clip: Path
) -> None:
    from postflow.engine.studio import open_studio

    full: dict[str, Exception | list[Exception]] = {
        name: [disk_full() for _ in range(99)] for name in ("arrived", "fail", "forget")
    }
    async with open_studio(direct_studio) as studio:
        studio.ledger, _ = stumbling(studio.ledger, **full)
        with pytest.raises(Retry) as failure:
            await sent(clip, direct_studio)
    assert failure.value.code == "ledger.disk_full"
    await sent(clip, direct_studio)
    the_asset(world, clip)
    assert [calls(world, op) for op in (ASK, "files.delete")] == [1, 0]


async def test_a_network_that_is_lost_for_an_attempt_costs_no_part_twice(
    direct_studio: str, world: Sandbox, clip: Path
) -> None:
    """The first part arrives; three others, once for each try, do not, and the attempt is over."""
    fault("reset", PUT, skip=1, times=2 * TRIES + 1).arm(world)
    await sent(clip, direct_studio)
    the_asset(world, clip)
    assert [calls(world, op) for op in (ASK, "files.delete")] == [1, 0]
    assert len(taken(world)) == len(set(taken(world))) == PARTS


Blow = Callable[[Path], None]


def cut_short(clip: Path) -> None:
    os.truncate(clip, 70_000)


def rewritten(clip: Path) -> None:
    with clip.open("r+b") as file:
        file.seek(60_000)
        file.write(b"other pictures")


@pytest.mark.parametrize("blow", [cut_short, rewritten, swapped, written_over])
async def test_a_clip_that_changes_while_it_is_sent_is_sent_anew(
    blow: Blow, direct_studio: str, world: Sandbox, clip: Path
) -> None:
    """As it is now: a person has said that it is whole. What was begun is withdrawn."""

    async def strike() -> None:
        blow(clip)

    fault("delay", PUT, seconds=600).arm(world)
    await deliver_and(strike, clip, direct_studio, world, left=1)
    the_asset(world, clip)


@pytest.mark.parametrize(
    ("transfer", "trouble", "way"),
    [
        ("auto", None, "tunnel"),
        ("direct", None, "direct"),
        ("auto", fault("agent_refuse", "agent", code=105), "direct"),
        ("auto", fault("quota_page", "edge", code=725, requests=-1), "direct"),
    ],
    ids=str,
)
async def test_which_way_a_clip_goes(
    transfer: str,
    trouble: Fault | None,
    way: str,
    nothing_cached: None,
    world: Sandbox,
    clip: Path,
    saved: dict[str, str],
) -> None:
    """Where ngrok refuses or is out of order, it is said why the clip went directly."""
    name = f"ways-{transfer}"
    if saved.get(name) != world.url:
        await save(world, name=name, transfer=transfer)
        saved[name] = world.url
    if trouble:
        trouble.arm(world)
    delivery = await sent(clip, name)
    the_asset(world, clip)
    assert delivery.way == way
    assert (delivery.detour is not None) == (trouble is not None)


async def test_who_asks_for_a_way_gets_that_one(
    nothing_cached: None, world: Sandbox, clip: Path, saved: dict[str, str]
) -> None:
    from postflow.flows.deliver import deliver

    if saved.get("ways-auto") != world.url:
        await save(world, name="ways-auto", transfer="auto")
        saved["ways-auto"] = world.url
    delivery = await deliver(clip, studio="ways-auto", transfer="direct")
    assert (delivery.way, delivery.detour) == ("direct", None)


HELD = fault("delay", PUT, skip=1, seconds=600, times=PARTS - 2)


async def test_a_run_that_is_stopped_is_gone_on_with(
    direct_studio: str, world: Sandbox, clip: Path
) -> None:
    await cancel(HELD, PUT, world, clip, direct_studio)
    assert len(namesakes(world, clip)) == 1
    assert unsent_parts() == PARTS
    await cleaned_up(direct_studio)
    await goes_on(world, clip, direct_studio, unheard=PARTS - 1)


async def test_what_nobody_goes_on_with_is_removed_once_it_is_void(
    direct_studio: str, world: Sandbox, clip: Path
) -> None:
    world.turn(part_url_seconds=0)
    held = fault("delay", PUT, seconds=600, times=PARTS - 1)
    await cancel(held, ASK, world, clip, direct_studio)
    assert unsent_parts() == PARTS
    await cleaned_up(direct_studio)
    assert namesakes(world, clip) == []
    assert unsent_parts() == 0
    world.mend()
    world.turn(part_url_seconds=3600)
    await delivers_now(world, clip, direct_studio)


async def cleaned_up(studio: str) -> None:
    """As `ingest` does first."""
    from postflow.engine.housekeeping import clean_up
    from postflow.engine.studio import open_studio

    async with open_studio(studio) as opened:
        await clean_up(opened)
