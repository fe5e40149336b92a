"""From the ledger into the channel: what is read there in the end, whoever died on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from postflow.discord import DiscordClient
from postflow.discord.cards import on_its_way_card, ready_card
from postflow.discord.relay import SUMMARY_PAUSE, OutboxRelay
from postflow.ledger import (
    AsyncLedger,
    Claimed,
    MessageState,
    Root,
    batches,
    claims,
    leases,
    open_ledger,
    outbox,
    queries,
    roots,
    transitions,
)
from postflow.models import Delivery, MediaFile, Shot
from postflow.naming import Naming
from tests.discord.conftest import Channel
from tests.ledger.ground import BROKEN, BUSY, Clock, add_many, bring_to_arrived, outlive

CHANNEL = "main"


class Studio:
    """A ledger, its clock, and a channel of Discord's."""

    def __init__(self, ledger: AsyncLedger, root: Root, clock: Clock, channel: Channel) -> None:
        self.ledger = ledger
        self.root = root
        self.clock = clock
        self.channel = channel

    @property
    def embeds(self) -> list[dict[str, Any]]:
        """What the channel shows."""
        return [message["embeds"][0] for message in self.channel.world.messages]

    @property
    def edits(self) -> int:
        return sum(len(message["edits"]) for message in self.channel.world.messages)

    def drop(self, count: int) -> None:
        add_many(self.ledger.ledger, self.root, count)

    async def start(self, run_id: str) -> list[Claimed]:
        """A run that takes what waits, and tells of it."""
        await self.ledger.run(batches.gather, studio="main", channel=CHANNEL, project="UNDLM")
        taken = await self.ledger.run(claims.claim, run_id, limit=100)
        await self.send(run_id)
        return taken

    async def send(self, run_id: str, *, pause: float = SUMMARY_PAUSE) -> None:
        async with DiscordClient(self.channel.url, timeout=0.1) as discord:
            relay = OutboxRelay(self.ledger, discord, run_id, channel=CHANNEL)
            await relay.send_due(pause=pause)

    async def end(self, run_id: str) -> None:
        await self.send(run_id, pause=0)
        await self.ledger.run(leases.end, run_id)

    async def deliver(self, claim: Claimed) -> None:
        arrived = bring_to_arrived(self.ledger.ledger, claim, f"file-{claim.clip_id}")
        await self.ledger.run(transitions.done, arrived)

    def die(self) -> None:
        """Whoever works is silent until others take over."""
        outlive(self.ledger.ledger, self.clock)

    def delivered(self) -> list[int]:
        """How often the channel links to each clip."""
        texts = [embed.get("description", "") for embed in self.embeds]
        rows = queries.rows(self.ledger.ledger)
        links = [f"(https://next.frame.io/file-{row.id})" for row in sorted(rows, key=_id)]
        return [sum(text.count(link) for text in texts) for link in links]


def _id(row: Any) -> int:
    return int(row.id)


@pytest.fixture
async def studio(channel: Channel, tmp_path: Path) -> AsyncIterator[Studio]:
    clock = Clock()
    async with open_ledger(tmp_path / "ledger.db", clock=clock) as ledger:
        yield Studio(
            ledger, await ledger.run(roots.add, "main", tmp_path, "mark-1"), clock, channel
        )


async def test_a_batch_is_one_message_that_names_each_clip_once(studio: Studio) -> None:
    studio.drop(12)
    for claim in await studio.start("run-1"):
        await studio.deliver(claim)
        await studio.send("run-1")
    await studio.end("run-1")
    assert [embed["title"] for embed in studio.embeds] == ["12 clips are ready for review"]
    assert studio.delivered() == [1] * 12
    assert studio.edits == 1


@pytest.mark.parametrize("told", [False, True], ids=["nothing told", "told of half"])
async def test_outcomes_that_a_killed_run_did_not_tell_are_told_by_the_next(
    studio: Studio, told: bool
) -> None:
    studio.drop(12)
    first, second, third, *_ = await studio.start("run-1")
    await studio.deliver(first)
    if told:
        studio.clock.forward(30)
        await studio.send("run-1")
    await studio.deliver(second)
    await studio.ledger.run(transitions.fail, third, BROKEN)
    studio.die()
    for claim in await studio.start("run-2"):
        await studio.deliver(claim)
    await studio.end("run-2")
    (embed,) = studio.embeds
    assert embed["title"] == "11 of 12 clips are ready for review"
    assert embed["description"].startswith(r"❌ SQ07\_002\_v001.mov: The folder was deleted.")
    assert studio.delivered() == [1, 1, 0] + [1] * 9


async def test_the_last_word_is_told_although_its_run_died_and_nothing_is_left_to_deliver(
    studio: Studio,
) -> None:
    studio.drop(2)
    for claim in await studio.start("run-1"):
        await studio.deliver(claim)
    studio.die()
    await studio.start("run-2")
    assert studio.delivered() == [1, 1]
    assert len(studio.embeds) == 1


async def test_a_clip_that_was_put_off_is_told_of_in_the_message_it_began_in(
    studio: Studio,
) -> None:
    studio.drop(2)
    first, second = await studio.start("run-1")
    await studio.deliver(first)
    until: datetime = await studio.ledger.run(transitions.postpone, second, BUSY)
    await studio.end("run-1")
    assert studio.embeds[0]["title"] == "2 clips are on the way"
    assert "⏳" in studio.embeds[0]["description"]
    studio.clock.time = until
    for claim in await studio.start("run-2"):
        await studio.deliver(claim)
    await studio.end("run-2")
    assert [embed["title"] for embed in studio.embeds] == ["2 clips are ready for review"]


async def test_two_runs_tell_of_one_batch_in_one_message(studio: Studio) -> None:
    studio.drop(12)
    await studio.ledger.run(batches.gather, studio="main", channel=CHANNEL, project="UNDLM")
    mine, yours = [
        await studio.ledger.run(claims.claim, run, limit=6) for run in ("run-1", "run-2")
    ]
    for one, other in zip(mine, yours, strict=True):
        await studio.deliver(one)
        await studio.deliver(other)
        await studio.send("run-1")
        await studio.send("run-2")
        studio.clock.forward(5)
    for run in ("run-1", "run-2"):
        await studio.end(run)
    assert len(studio.embeds) == 1
    assert studio.delivered() == [1] * 12


@pytest.fixture
def shot(media: MediaFile) -> Shot:
    return Naming.preset().identify(media.name)


async def test_a_departure_whose_answer_was_lost_is_not_announced_again(
    studio: Studio, media: MediaFile, shot: Shot, delivery: Delivery
) -> None:
    """However often its runs die: twice in the channel at most, and the last word once."""
    studio.drop(1)
    for life in range(3):
        (claim,) = await studio.ledger.run(claims.claim, f"run-{life}", limit=1)
        studio.channel.faults.arm("lost_answer", "discord.post")
        key = f"{CHANNEL}/clip-{claim.clip_id}"
        departure = on_its_way_card(media, shot, project="UNDLM").announcement(key, CHANNEL)
        await studio.ledger.run(transitions.announce, claim, departure)
        await studio.send(f"run-{life}")
        studio.die()
    (message,) = await studio.ledger.run(outbox.messages)
    assert message.state is MessageState.UNKNOWN
    assert [embed["title"].rpartition(" is ")[2] for embed in studio.embeds] == ["on its way"]
    (claim,) = await studio.ledger.run(claims.claim, "last", limit=1)
    arrived = bring_to_arrived(studio.ledger.ledger, claim)
    studio.channel.faults.clear()
    ready = ready_card(delivery, project="UNDLM").announcement(key, CHANNEL)
    await studio.ledger.run(transitions.done, arrived, announce=ready)
    await studio.send("last")
    endings = [embed["title"].rpartition(" is ")[2] for embed in studio.embeds]
    assert endings == ["on its way", "ready for review"]
