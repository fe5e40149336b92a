"""A thread for each shot, sequence or day, opened once; whom a ready clip notifies; and a picture
that outlives its sender.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from postflow.discord import Card, DiscordClient
from postflow.discord.cards import failed_card, notice_card, on_its_way_card, ready_card
from postflow.discord.relay import OutboxRelay
from postflow.discord.summary import batch_card
from postflow.discord.webhook import Routes
from postflow.errors import Skip
from postflow.ledger import AsyncLedger, MessageState, StaleClaim, leases, open_ledger, outbox
from postflow.media.picture import path_of
from postflow.models import Delivery
from postflow.naming import Naming
from postflow.state import write_private
from tests.discord.conftest import Channel, delivery_of, media_named, serving
from tests.discord.summaries import batch_of, clip_done, clip_waiting
from tests.support.wait import wait_until

CHANNEL = "main"
RUNS = ("run-1", "run-2")


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[AsyncLedger]:
    async with open_ledger(tmp_path / "ledger.db") as opened:
        for run in RUNS:
            await opened.run(leases.start, run)
        yield opened


@pytest.fixture
async def forum() -> AsyncIterator[Channel]:
    async for channel in serving(channel="forum_with_tags"):
        yield channel


def of(name: str) -> Delivery:
    shot = Naming.preset().identify(name)
    return delivery_of(media_named(name)).model_copy(update={"shot": shot})


def departure(delivery: Delivery) -> Card:
    return on_its_way_card(delivery.media, delivery.shot, project="UNDLM")


class Teller:
    """What runs have to tell, and where it is read."""

    def __init__(self, ledger: AsyncLedger, channel: Channel, **routes: Any) -> None:
        self.ledger = ledger
        self.channel = channel
        self.routes = Routes(**routes)

    async def tell(self, card: Card, *, key: str | None = None, run: str = "run-1") -> None:
        key = key or card.about.get("file", card.title)
        await self.ledger.run(outbox.enqueue, card.announcement(key, CHANNEL))
        await self.send(run)

    async def send(self, run: str = "run-1") -> None:
        async with DiscordClient(self.channel.url, routes=self.routes, timeout=0.1) as discord:
            await OutboxRelay(self.ledger, discord, run, channel=CHANNEL).send_due()

    @property
    def shown(self) -> dict[str, list[str]]:
        """Each thread's name, or that of none, and the ends of the titles in it."""
        world, shown = self.channel.world, dict[str, list[str]]()
        for message in world.messages:
            thread = world.threads.known.get(message["channel_id"])
            title = message["embeds"][0]["title"].replace("\\", "")
            shown.setdefault(thread.name if thread else "", []).append(title)
        return shown


SHOTS = ("SQ07_UNDLM_00152_v003.mov", "SQ07_UNDLM_00152_v004.mov", "SQ08_UNDLM_00010_v001.mov")


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("{sequence} {shot}", {"SQ07 UNDLM_00152": 2, "SQ08 UNDLM_00010": 1, "PostFlow": 1}),
        ("{sequence}", {"SQ07": 2, "SQ08": 1, "PostFlow": 1}),
        ("{day}", {"the day": 4}),
        ("Dailies", {"Dailies": 4}),
    ],
)
async def test_a_thread_is_opened_once_whichever_run_tells(
    ledger: AsyncLedger, forum: Channel, name: str, sizes: dict[str, int]
) -> None:
    tag = next(iter(forum.world.threads.tags))
    teller = Teller(ledger, forum, thread_name=name, tags=[tag])
    for number, file in enumerate(SHOTS):
        await teller.tell(departure(of(file)), run=RUNS[number % 2])
        await teller.tell(ready_card(of(file), project="UNDLM"), run=RUNS[number % 2])
    await teller.tell(notice_card("A watched folder is lost", "Mount it."))
    messages = await ledger.run(outbox.messages)
    day = f"{messages[0].made_at.astimezone():%Y-%m-%d}"
    counts = {name: len(titles) for name, titles in teller.shown.items()}
    assert counts == {day if name == "the day" else name: n for name, n in sizes.items()}
    assert {each.tags for each in forum.world.threads.known.values()} == {(tag,)}
    assert len(forum.world.threads.known) == len(sizes)


async def test_a_thread_whose_answer_was_lost_is_opened_anew_by_the_next_message(
    ledger: AsyncLedger, forum: Channel
) -> None:
    """As a message is: once too often at most, and what may be there is not posted again."""
    teller = Teller(ledger, forum, thread_name="{sequence}", tags=[*forum.world.threads.tags])
    forum.faults.arm("lost_answer", "discord.post")
    for file in SHOTS[:2]:
        await teller.tell(departure(of(file)))
    await teller.tell(ready_card(of(SHOTS[1]), project="UNDLM"))
    states = [each.state for each in await ledger.run(outbox.messages)]
    assert states == [MessageState.UNKNOWN, MessageState.SENT]
    await teller.tell(ready_card(of(SHOTS[0]), project="UNDLM"))
    assert len(forum.world.threads.known) == 2
    assert len({m["channel_id"] for m in forum.world.messages[1:]}) == 1


async def test_two_runs_do_not_open_one_thread_at_once(ledger: AsyncLedger, forum: Channel) -> None:
    """The other waits for the first; one that has died, for nobody."""
    teller = Teller(ledger, forum, thread_name="{sequence}", tags=[*forum.world.threads.tags])
    first, second = (departure(of(file)).announcement(file, CHANNEL) for file in SHOTS[:2])
    await ledger.run(outbox.enqueue, first)
    (due,) = await ledger.run(outbox.due)
    await ledger.run(outbox.sending, due, "run-1", thread="SQ07")
    await ledger.run(outbox.enqueue, second)
    (waits,) = await ledger.run(outbox.due)
    with pytest.raises(StaleClaim):
        await ledger.run(outbox.sending, waits, "run-2", thread="SQ07")
    await teller.send("run-2")
    assert teller.shown == {}
    await ledger.run(leases.end, "run-1")
    await teller.send("run-2")
    assert {name: len(titles) for name, titles in teller.shown.items()} == {"SQ07": 1}


async def test_a_thread_that_somebody_deleted_is_opened_again(
    ledger: AsyncLedger, forum: Channel
) -> None:
    teller = Teller(ledger, forum, thread_name="{sequence}", tags=[*forum.world.threads.tags])
    await teller.tell(departure(of(SHOTS[0])))
    forum.world.threads.known.clear()
    for file in SHOTS[:2]:
        await teller.tell(ready_card(of(file), project="UNDLM"))
    assert len(teller.shown["SQ07"]) == 2
    assert len(forum.world.threads.known) == 1


async def test_threads_that_there_are_take_the_clips_of_their_sequence(
    ledger: AsyncLedger, channel: Channel
) -> None:
    """Of a text channel, in which a webhook cannot open any."""
    known = channel.world.threads.open("Seven").id
    teller = Teller(ledger, channel, threads={"sq07": known})
    for file in SHOTS:
        await teller.tell(departure(of(file)))
        await teller.tell(ready_card(of(file), project="UNDLM"))
    assert {name: len(titles) for name, titles in teller.shown.items()} == {"Seven": 2, "": 1}


def notified(channel: Channel) -> list[list[str]]:
    return [message["notified"]["mention_roles"] for message in channel.world.messages]


async def test_a_clip_that_is_ready_notifies_the_role_of_its_sequence_once(
    ledger: AsyncLedger, channel: Channel
) -> None:
    """An edit notifies nobody, so a short message follows it."""
    teller = Teller(ledger, channel, roles={"SQ07": "77", "SQ08": "88"})
    early, late, other = (of(file) for file in SHOTS)
    await teller.tell(ready_card(early, project="UNDLM"))
    await teller.tell(departure(late))
    await teller.tell(ready_card(late, project="UNDLM"))  # and nobody sends anything later
    assert notified(channel) == [["77"], [], ["77"]]
    assert teller.shown[""] == [
        "SQ07 UNDLM_00152 v003 is ready for review",
        "SQ07 UNDLM_00152 v004 is ready for review",
        "SQ07 UNDLM_00152 v004 is ready for review",
    ]
    moved = late.model_copy(update={"finished": late.finished + timedelta(seconds=1)})
    await teller.tell(ready_card(moved, project="UNDLM"))
    assert len(notified(channel)) == 3
    error = Skip("no", hint="", code="name.unknown")
    await teller.tell(failed_card(other.media, other.shot, error))
    assert notified(channel)[-1] == []


async def test_a_batch_notifies_the_roles_of_its_sequences_when_it_is_over(
    ledger: AsyncLedger, channel: Channel
) -> None:
    teller = Teller(ledger, channel, roles={"SQ07": "77", "SQ08": "88", "SQ09": "99"})
    done = [clip_done(sequence=name) for name in ("SQ07", "SQ08", "SQ07", "SQ10")]
    for clips in ([*done, clip_waiting()], done, done):
        await teller.tell(batch_card(batch_of(*clips)), key="batch-1")
    assert notified(channel) == [[], ["77", "88"]]


async def test_a_name_notifies_nobody_else(ledger: AsyncLedger, channel: Channel) -> None:
    hostile = of(SHOTS[0])
    named = {"sequence": "SQ07 <@&99> @everyone", "shot": "<@1>", "version": "<@&77>"}
    hostile = hostile.model_copy(
        update={
            "shot": hostile.shot.model_copy(update=named),
            "media": media_named("@everyone <@&99> @here.mov"),
        }
    )
    teller = Teller(ledger, channel, roles={named["sequence"]: "77"})
    await teller.tell(ready_card(hostile, project="@everyone"))
    (message,) = channel.world.messages
    assert message["notified"] == {"mention_everyone": False, "mention_roles": ["77"]}
    assert message["content"] == "<@&77>"


SENDER = """
import asyncio, sys
from pathlib import Path
from pydantic import SecretStr
from postflow.discord import DiscordClient
from postflow.discord.relay import OutboxRelay
from postflow.ledger import leases, open_ledger

async def send(url):
    async with open_ledger(Path(sys.argv[1])) as ledger, DiscordClient(SecretStr(url)) as discord:
        await ledger.run(leases.start, "killed")
        await OutboxRelay(ledger, discord, "killed", channel="main").send_due()

asyncio.run(send(sys.stdin.read()))
"""


async def test_a_picture_is_shown_once_although_its_sender_was_killed(
    ledger: AsyncLedger, channel: Channel, tmp_path: Path
) -> None:
    teller = Teller(ledger, channel)
    await teller.tell(departure(of(SHOTS[0])))
    ready = ready_card(of(SHOTS[0]), project="UNDLM")
    write_private(path_of(str(ready.picture)), b"jpeg")
    await ledger.run(outbox.enqueue, ready.announcement(SHOTS[0], CHANNEL))
    channel.faults.arm("delay", "discord.patch", seconds=600)
    command = [sys.executable, "-c", SENDER, str(tmp_path / "ledger.db")]
    sender = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)
    assert sender.stdin
    sender.stdin.write(channel.url.get_secret_value().encode())
    sender.stdin.close()
    await wait_until(lambda: channel.faults.armed() == [])
    sender.kill()
    await sender.wait()
    await ledger.run(leases.recover)
    await teller.send()
    (message,) = channel.world.messages
    (shown,) = message["attachments"]
    assert channel.world.attachments.data[shown["id"]].data == b"jpeg"
    assert message["embeds"][0]["image"]["url"] == shown["url"]
    assert teller.shown == {"": ["SQ07 UNDLM_00152 v003 is ready for review"]}
    channel.faults.release()
