"""Share links as the ledger and Frame.io have them: made once, filled in few calls, renewed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from postflow.delivery.share_relay import FEW_WAIT, MANY, MANY_WAIT, ShareRelay, is_due
from postflow.discord.card import Card
from postflow.discord.cards import READY
from postflow.errors import Fatal
from postflow.frameio import FrameioClient
from postflow.frameio.shares import NewShare, ShareTerms
from postflow.ledger import (
    AsyncLedger,
    Ledger,
    Root,
    ShareWish,
    Target,
    claims,
    leases,
    open_ledger,
    outbox,
    roots,
    shared_clips,
    shares,
    transitions,
)
from postflow.ledger.ledger import utc_now
from postflow.ledger.shared_clips import Waiting
from postflow.sandbox import Sandbox
from postflow.settings import Sharing
from tests.frameio.connecting import calls, connected, raw
from tests.journeys.faults import ALWAYS, Fault, arm_all, fault, named
from tests.ledger.ground import Clock, add
from tests.sandbox.caller import Caller

EVERYBODY = "For everybody with the link"
CLIENT = "client@studio.example"
DAY = ShareWish(subject="day", name="UNDLM · 2026-11-27")


class Studio:
    """A ledger, the world, and as many runs as are wanted."""

    def __init__(
        self, world: Sandbox, client: FrameioClient, ledger: AsyncLedger, caller: Caller, root: Root
    ) -> None:
        self.world = world
        self.client = client
        self.ledger = ledger
        self.root = root
        self.caller = caller
        self._clips = 0

    async def run(self, run_id: str = "run", **sharing: Any) -> ShareRelay:
        await self.ledger.run(leases.start, run_id)
        return ShareRelay(
            self.ledger,
            self.client,
            Sharing(per="day", **sharing),
            studio="main",
            run_id=run_id,
            channel="main",
            told=lambda: None,
        )

    def files(self, count: int) -> list[str]:
        """Ids of so many files; all but one are copies, which Frame.io makes a hundred at once."""
        first = self.caller.placeholder(self.world.root_folder_id, "clip.mov")
        copies = (self.caller.post(f"/files/{first}/copy") for _ in range(count - 1))
        return [first, *(str(answer.json()["data"]["id"]) for answer in copies)]

    async def deliver(self, count: int = 1, wish: ShareWish = DAY) -> list[str]:
        """So many clips; their files' ids."""
        return await self.delivered(self.files(count), wish)

    async def delivered(self, files: list[str], wish: ShareWish = DAY) -> list[str]:
        """Clips that have arrived as these files, each with its message."""
        for file in files:
            self._clips += 1
            await self.ledger.run(self._note, f"SQ07_{self._clips:05}_v001.mov", file, wish)
        return files

    def _note(self, ledger: Ledger, name: str, file: str, wish: ShareWish) -> None:
        add(ledger, self.root, name, content=name)
        [claim] = claims.claim(ledger, "deliveries", limit=1)
        there = {"account_id": self.world.account_id, "project_id": self.world.project_id}
        target = Target(folder_id="f", folder="SQ07", stack=name, version_key="1", **there)
        claim = transitions.intend_request(ledger, claim, target, way="tunnel")
        claim = transitions.arrived(ledger, transitions.requested(ledger, claim, file))
        card = Card(title=name, colour=READY, about={"file": name})
        transitions.done(ledger, claim, announce=card.announcement(name, "main"), share=wish)

    async def links(self) -> list[str]:
        """What each clip's message has for everybody, in the order of delivery."""
        found = await self.ledger.run(outbox.messages)
        lines = [dict(it.payload["lines"]).get(EVERYBODY, "") for it in found if it.clip_id]
        return [line.partition("](")[2].partition(")")[0] for line in lines]

    async def notices(self) -> str:
        """All that is told beside the clips."""
        found = await self.ledger.run(outbox.messages)
        return " ".join(str(it.payload) for it in found if not it.clip_id)


@asynccontextmanager
async def studio_in(
    world: Sandbox, folder: Path, clock: Callable[[], datetime] = utc_now
) -> AsyncIterator[Studio]:
    async with (
        connected(world, folder) as client,
        open_ledger(folder / "ledger.db", clock=clock) as ledger,
    ):
        with Caller(world) as caller:
            root = await ledger.run(roots.add, "main", folder, "mark")
            yield Studio(world, client, ledger, caller, root)


@pytest.fixture
async def studio(world: Sandbox, quick_folder: Path) -> AsyncIterator[Studio]:
    async with studio_in(world, quick_folder) as studio:
        yield studio


async def test_a_hundred_clips_that_come_together_cost_two_calls_at_frameios_own_rates(
    quick_folder: Path,
) -> None:
    """They wait for each other while others are on their way, and for none once none is."""
    with Sandbox() as world:
        async with studio_in(world, quick_folder) as studio:
            relay, files = await studio.run(), studio.files(100)
            for part in (files[:40], files[40:90], files[90:]):
                await studio.delivered(part)
                if part[-1] != files[-1]:
                    await studio.ledger.run(on_their_way, studio.root)
                await relay.share_due(at_once=False)
                await studio.ledger.run(arrive)
            [share] = world.shares()
            assert set(share["asset_ids"]) == set(files)
            assert set(await studio.links()) == {share["url"]}
            ours = [each for each in world.requests() if each["op"].startswith("shares.")]
            assert [each["op"] for each in ours] == ["shares.create"]


def on_their_way(ledger: Ledger, root: Root) -> None:
    add(ledger, root, "SQ07_99999_v001.mov", content="on its way")


def arrive(ledger: Ledger) -> None:
    """Whatever is on its way is given up."""
    for claim in claims.claim(ledger, "deliveries", limit=1):
        transitions.skip(ledger, claim, Fatal("It is gone.", hint="Nothing.", code="file.missing"))


NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("clips", "whole", "waited", "others", "due"),
    [
        (1, False, 0, 0, True),
        (1, False, 0, 3, False),
        (1, False, FEW_WAIT, 3, True),
        (1, False, FEW_WAIT, MANY, False),
        (90, False, FEW_WAIT, 1, False),
        (1, False, MANY_WAIT, MANY, True),
        (100, False, 0, 50, True),
        (1, True, 0, 50, True),
    ],
)
def test_when_a_link_is_due(clips: int, whole: bool, waited: float, others: int, due: bool) -> None:
    since = NOW - timedelta(seconds=waited)
    waiting = Waiting(subject="day", clips=clips, since=since, whole=whole)
    assert is_due(waiting, others, NOW) is due


async def test_few_that_come_later_join_the_link_and_many_get_one_of_their_own(
    studio: Studio,
) -> None:
    relay = await studio.run()
    for count in (2, 3, 4):
        await studio.deliver(count)
        await relay.share_due(at_once=False)
    first, second = studio.world.shares()
    assert [len(share["asset_ids"]) for share in (first, second)] == [5, 4]
    assert second["name"] == f"{DAY.name} (2)"
    assert await studio.links() == [first["url"]] * 5 + [second["url"]] * 4


ENDED: dict[str, dict[str, Any] | None] = {
    "expired": {"expiration": "2026-01-01T00:00:00+00:00"},
    "about to expire": {"expiration": (NOW + timedelta(hours=1)).isoformat()},
    "revoked": {"enabled": False},
    "deleted": None,
}


@pytest.mark.parametrize("ended", ENDED)
async def test_a_link_that_opens_no_more_is_renewed_before_somebody_meets_it(
    ended: str, studio: Studio
) -> None:
    """With what was in the old one, whose clips' messages have the new one too."""
    relay = await studio.run()
    files = await studio.deliver(2)
    await relay.share_due(at_once=False)
    [old], change = studio.world.shares(), ENDED[ended]
    if change is None:
        studio.world.delete_share(old["id"])
    else:
        studio.world.change_share(old["id"], **change)
    files += await studio.deliver()
    await relay.share_due(at_once=False)
    new = studio.world.shares()[-1]
    assert set(new["asset_ids"]) == set(files)
    assert await studio.links() == [new["url"]] * 3
    assert new["url"] != old["url"]


async def test_a_folders_link_ends_by_our_own_clock_too(world: Sandbox, quick_folder: Path) -> None:
    clock = Clock()
    clock.time = datetime.now(UTC)
    async with studio_in(world, quick_folder, clock) as studio:
        folder = studio.caller.folder("SQ07")
        wish = ShareWish(subject="SQ07", name="UNDLM · SQ07", folder_id=folder)
        relay = await studio.run()
        await studio.deliver(3, wish)
        await relay.share_due(at_once=False)
        [share] = world.shares()
        assert share["asset_ids"] == [folder]
        seen, until = clock.time - timedelta(minutes=10), clock.time + timedelta(days=29)
        asked = ("main", "SQ07", folder)
        known = await studio.ledger.run(shared_clips.link_with, *asked, seen=seen, until=until)
        assert known is not None
        assert known.url.get_secret_value() == share["url"]
        later = until + timedelta(days=2)
        assert not await studio.ledger.run(shared_clips.link_with, *asked, seen=seen, until=later)


AT_CREATION: list[tuple[Fault, ...]] = [
    (fault("lost_answer", "shares.create"),),
    (fault("lost_answer", "shares.create", code=502), fault("status", "shares.list", code=500)),
    (fault("reset", "shares.create"), fault("reset", "shares.assets")),
    (fault("status", "shares.create", code=500), fault("rate_limited", "shares.list")),
    (fault("rate_limited", "shares.create"), fault("token_expiry", "shares.create")),
    (fault("delay", "shares.create", seconds=0.2), fault("late_answer", "shares.create")),
    (fault("lost_answer", "shares.show"), fault("lost_answer", "shares.add_asset")),
    (fault("status", "shares.show", code=500), fault("reset", "shares.add_asset")),
    (fault("rate_limited", "shares.show"), fault("status", "shares.add_asset", code=503)),
    (fault("rate_limited", "shares.add_asset"), fault("token_expiry", "shares.add_asset")),
    (fault("lost_answer", "shares.add_asset"), fault("status", "shares.assets", code=500)),
]


@pytest.mark.parametrize("faults", AT_CREATION, ids=named)
async def test_after_faults_that_pass_there_is_one_link_with_each_clip_once(
    faults: tuple[Fault, ...], studio: Studio
) -> None:
    relay, files = await studio.run(), studio.files(2)
    arm_all(studio.world, faults)
    for file in files:
        await studio.delivered([file])
        await relay.share_due(at_once=False)
    [share] = studio.world.shares()
    assert share["asset_ids"] == files
    assert await studio.links() == [share["url"]] * 2
    assert await studio.notices() == ""


@pytest.mark.parametrize("where", ["shares.create", "shares.show", "shares.add_asset"])
@pytest.mark.parametrize("code", [401, 403, 409, 422, 500])
async def test_a_link_that_cannot_be_had_is_told_and_made_once_that_is_mended(
    where: str, code: int, world: Sandbox, quick_folder: Path
) -> None:
    clock = Clock()
    clock.time = datetime.now(UTC)
    async with studio_in(world, quick_folder, clock) as studio:
        relay = await studio.run()
        if where != "shares.create":
            await studio.deliver()
            await relay.share_due(at_once=False)
        fault("status", where, code=code, times=ALWAYS).arm(world)
        await studio.deliver()
        await relay.share_due(at_once=False)
        assert "could not be made" in await studio.notices()
        [(name, _)] = await studio.ledger.run(shared_clips.troubles, "main")
        assert name == DAY.name
        asked = calls(world, where)
        await relay.share_due(at_once=True)
        assert calls(world, where) == asked, "it is left alone for a while"

        world.mend()
        clock.forward(3600)
        await studio.ledger.run(leases.start, "run")
        await relay.share_due(at_once=False)
        [share] = world.shares()
        assert set(await studio.links()) == {share["url"]}
        assert await studio.ledger.run(shared_clips.troubles, "main") == []
        assert "could not be made" not in await studio.notices()


async def test_two_runs_at_once_make_one_link(world: Sandbox, quick_folder: Path) -> None:
    world.fault("late_answer", "shares.create", seconds=0.3)
    async with (
        studio_in(world, quick_folder) as one,
        open_ledger(quick_folder / "ledger.db") as ledger,
    ):
        two = Studio(world, one.client, ledger, one.caller, one.root)
        relays = [await one.run("one"), await two.run("two")]
        await one.deliver(5)
        for _ in range(2):
            await asyncio.gather(*(relay.share_due(at_once=True) for relay in relays))
        assert [len(share["asset_ids"]) for share in world.shares()] == [5]
        assert set(await one.links()) == {world.shares()[0]["url"]}


@pytest.mark.parametrize("was_made", [True, False])
@pytest.mark.parametrize("adding", [True, False])
async def test_what_a_dead_run_had_begun_is_looked_for(
    was_made: bool, adding: bool, studio: Studio
) -> None:
    """Between the intent and the outcome: the call went out, or it did not."""
    relay = await studio.run()
    if adding:
        await studio.deliver()
        await relay.share_due(at_once=False)
    await studio.deliver()
    await studio.ledger.run(leases.start, "dead")
    terms = shares.Terms(access="public", expires_at=None, needed_until=datetime.now(UTC))
    work = await studio.ledger.run(shares.begin, "dead", "main", DAY.subject, terms)
    assert work is not None
    if was_made and adding:
        await studio.client.shares.add_asset(work.account_id, str(work.share_id), work.adding[0])
    elif was_made:
        there = {name: getattr(work, name) for name in NewShare.model_fields}
        await studio.client.shares.create(NewShare(**there), ShareTerms(), since=work.intended_at)
    asked = calls(studio.world, "shares.create", "shares.add_asset")
    await studio.ledger.run(leases.end, "dead")
    await relay.share_due(at_once=False)
    [share] = studio.world.shares()
    assert set(await studio.links()) == {share["url"]}
    assert len(share["asset_ids"]) == 1 + adding
    again = calls(studio.world, "shares.create", "shares.add_asset") - asked
    assert again == (0 if was_made else 1)


async def test_a_clip_that_somebody_has_deleted_keeps_no_other_from_the_link(
    studio: Studio,
) -> None:
    relay = await studio.run()
    gone, there = await studio.deliver(2)
    account = f"/v4/accounts/{studio.world.account_id}"
    await raw(studio.world, "DELETE", f"{account}/files/{gone}")
    await relay.share_due(at_once=False)
    assert [share["asset_ids"] for share in studio.world.shares()] == [[there]]
    await relay.share_due(at_once=False)
    assert await studio.notices() == ""


async def test_an_account_that_takes_few_assets_gets_several_links(quick_folder: Path) -> None:
    with Sandbox(rate_scale=100, share_assets="ten") as world:
        async with studio_in(world, quick_folder) as studio:
            relay = await studio.run()
            await studio.deliver(12)
            await relay.share_due(at_once=False)
            assert [len(share["asset_ids"]) for share in world.shares()] == [12]
            assert "" not in await studio.links()


async def test_a_passphrase_that_frameio_made_up_is_told_and_the_studios_own_is_not(
    quick_folder: Path,
) -> None:
    with Sandbox(rate_scale=100, share_passphrase="required") as world:
        async with studio_in(world, quick_folder) as studio:
            for sharing in ({}, {"passphrase": "sesame"}):
                await studio.deliver(1, ShareWish(subject=str(sharing), name="UNDLM"))
                await (await studio.run(**sharing)).share_due(at_once=False)
            made_up, own = world.shares()
            told = str([it.payload for it in await studio.ledger.run(outbox.messages)])
            assert made_up["passphrase"].replace("-", "\\\\-").replace("_", "\\\\_") in told
            assert own["passphrase"] == "sesame"
            assert "sesame" not in told


@pytest.mark.parametrize("access", ["public", "secure"])
@pytest.mark.parametrize("lost", ["lost_answer", "reset", "status", None])
async def test_reviewers_are_invited_once(access: str, lost: str | None, studio: Studio) -> None:
    if lost:
        fault(lost, "shares.add_reviewers").arm(studio.world)
    relay = await studio.run(access=access, reviewers=(CLIENT,))
    for _ in range(2):
        await studio.deliver()
        await relay.share_due(at_once=False)
    [share] = studio.world.shares()
    took_effect = lost in (None, "lost_answer")
    if access == "public":
        assert share["mailed"] == ([CLIENT] if took_effect else [])
        assert ("may not have written" in await studio.notices()) is (lost is not None)
        assert await studio.links() == [share["url"]] * 2
    elif took_effect:
        assert (share["reviewers"], share["mailed"]) == ([CLIENT], [CLIENT])
        assert await studio.notices() == ""
    else:
        assert "could not be made" in await studio.notices()
