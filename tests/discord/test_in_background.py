"""The outbox relay sends in the background: what is due, in order, as long as Discord takes it."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from postflow.discord import Card, DiscordClient
from postflow.discord.cards import notice_card
from postflow.discord.relay import OutboxRelay
from postflow.ledger import AsyncLedger, MessageState, leases, open_ledger, opening, outbox
from postflow.sandbox.discord import DiscordWorld
from tests.discord.conftest import Channel
from tests.ledger.ground import Clock
from tests.support.stumbling import stumbling
from tests.support.wait import wait_until

CHANNEL = "main"
AN_HOUR = 3600.0
MANY = [f"message {number}" for number in range(1, 5)]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(tmp_path: Path, clock: Clock) -> AsyncIterator[AsyncLedger]:
    async with open_ledger(tmp_path / "ledger.db", clock=clock) as opened:
        yield opened


class Out:
    """A webhook whose host refuses every connection, until `serve`."""

    def __init__(self, port: socket.socket) -> None:
        self.world = DiscordWorld(rate=None)
        self._port = port
        address = f"http://127.0.0.1:{port.getsockname()[1]}"
        self.url = SecretStr(address + self.world.webhook_path)
        app = web.Application()
        app.add_routes(self.world.routes())
        self._runner = web.AppRunner(app)

    async def serve(self) -> None:
        await self._runner.setup()
        await web.SockSite(self._runner, self._port).start()

    async def close(self) -> None:
        await self._runner.cleanup()


@pytest.fixture
def bound() -> Iterator[socket.socket]:
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        yield port


@pytest.fixture
async def out(bound: socket.socket) -> AsyncIterator[Out]:
    reach = Out(bound)
    yield reach
    await reach.close()


async def enqueue(ledger: AsyncLedger, titles: list[str]) -> None:
    for title in titles:
        await ledger.run(
            outbox.enqueue, notice_card(title, "It is so.").announcement(title, CHANNEL)
        )


async def relay_of(
    ledger: AsyncLedger,
    discord: DiscordClient,
    run_id: str = "run-1",
    *,
    pulse: float = AN_HOUR,
    rest: float = 0.05,
) -> OutboxRelay:
    """Only a ring wakes it, unless it is told otherwise."""
    await ledger.run(leases.start, run_id)
    return OutboxRelay(ledger, discord, run_id, channel=CHANNEL, pulse=pulse, rest=rest)


def shown(world: DiscordWorld) -> list[str]:
    return [message["embeds"][0]["title"] for message in world.messages]


def tried(ledger: AsyncLedger) -> list[str]:
    return [message.key for message in outbox.messages(ledger.ledger) if message.code]


async def test_what_waits_is_sent_in_order_when_it_is_rung_for(
    channel: Channel, ledger: AsyncLedger
) -> None:
    async with DiscordClient(channel.url) as discord, await relay_of(ledger, discord) as relay:
        await enqueue(ledger, MANY)
        relay.notify()
        await wait_until(lambda: len(shown(channel.world)) == len(MANY))
    assert shown(channel.world) == MANY


async def test_at_its_end_it_sends_what_nobody_rang_for(
    channel: Channel, ledger: AsyncLedger
) -> None:
    async with DiscordClient(channel.url) as discord, await relay_of(ledger, discord):
        await enqueue(ledger, MANY)
    assert shown(channel.world) == MANY
    assert {message.state for message in await ledger.run(outbox.messages)} == {MessageState.SENT}


async def test_a_discord_that_is_away_is_tried_with_one_message_at_a_time(
    out: Out, ledger: AsyncLedger
) -> None:
    """At the start, and at the end where the first round was over by then; the others stay due."""
    await enqueue(ledger, MANY)
    async with (
        DiscordClient(out.url, timeout=0.1) as discord,
        await relay_of(ledger, discord, rest=AN_HOUR) as relay,
    ):
        await wait_until(lambda: tried(ledger))
        relay.notify()
    times = len(tried(ledger))
    assert times in {1, 2}
    assert tried(ledger) == MANY[:times]
    assert [message.key for message in await ledger.run(outbox.due)] == MANY[times:]


async def test_when_discord_is_back_all_are_sent_in_order_though_nobody_rings(
    out: Out, ledger: AsyncLedger, clock: Clock
) -> None:
    await enqueue(ledger, MANY)
    async with (
        DiscordClient(out.url, timeout=0.1) as discord,
        await relay_of(ledger, discord, pulse=0.05),
    ):
        await wait_until(lambda: tried(ledger) == MANY)
        await out.serve()
        clock.forward(AN_HOUR)
        await wait_until(lambda: len(shown(out.world)) == len(MANY))
    assert shown(out.world) == MANY


async def test_a_post_without_an_answer_costs_no_other_message_its_answer(
    channel: Channel, ledger: AsyncLedger
) -> None:
    """It is not repeated, so while Discord answers nobody, one after the other would be lost."""
    channel.faults.arm("reset", "discord.post", times=None)
    await enqueue(ledger, MANY)
    async with DiscordClient(channel.url) as discord, await relay_of(ledger, discord):
        pass
    states = [message.state for message in await ledger.run(outbox.messages)]
    assert states[0] is MessageState.UNKNOWN
    assert set(states[2:]) == {MessageState.PENDING}


async def test_while_discord_wants_to_be_left_alone_it_is_not_even_at_the_end(
    channel: Channel, ledger: AsyncLedger
) -> None:
    channel.faults.arm("rate_limited", "discord.post", times=9, retry_after=120)
    await enqueue(ledger, MANY)
    async with DiscordClient(channel.url) as discord, await relay_of(ledger, discord) as relay:
        await wait_until(lambda: tried(ledger))
        relay.notify()
    assert [fault["times"] for fault in channel.faults.armed()] == [8]


async def test_two_that_send_at_once_send_each_message_once(
    channel: Channel, ledger: AsyncLedger
) -> None:
    async with DiscordClient(channel.url) as mine, DiscordClient(channel.url) as yours:
        one, other = await relay_of(ledger, mine), await relay_of(ledger, yours, "run-2")
        async with one, other:
            for title in MANY:
                await enqueue(ledger, [title])
                one.notify()
                other.notify()
    assert sorted(shown(channel.world)) == MANY


async def test_a_ledger_that_is_busy_is_asked_again(
    channel: Channel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.05)
    async with open_ledger(tmp_path / "ledger.db") as ledger, DiscordClient(channel.url) as discord:
        await enqueue(ledger, MANY)
        closing = await relay_of(ledger, discord)
        with sqlite3.connect(tmp_path / "ledger.db") as somebody:
            somebody.execute("BEGIN IMMEDIATE")
            async with closing:
                await wait_until(lambda: "Messages wait" in caplog.text)
                somebody.rollback()
                await wait_until(lambda: len(shown(channel.world)) == len(MANY))
        somebody.close()
    assert shown(channel.world) == MANY


@pytest.mark.parametrize("call", ["outdated", "due", "sending"])
async def test_a_fault_of_our_own_is_logged_and_what_waits_is_sent_all_the_same(
    channel: Channel, ledger: AsyncLedger, call: str, caplog: pytest.LogCaptureFixture
) -> None:
    await enqueue(ledger, MANY)
    stumbles, _ = stumbling(ledger, **{call: KeyError("unforeseen")})
    async with (
        DiscordClient(channel.url) as discord,
        await relay_of(stumbles, discord, pulse=0.05),
    ):
        await wait_until(lambda: shown(channel.world) == MANY)
    assert "KeyError" in caplog.text


async def test_a_fault_of_our_own_at_one_message_costs_no_other_its_place(
    channel: Channel, ledger: AsyncLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows whether that one is there, and that is what the ledger says."""
    real = DiscordClient.post

    async def post(self: DiscordClient, card: Card, *args: Any, **more: Any) -> str:
        if card.title == MANY[0]:
            raise KeyError("unforeseen")
        return await real(self, card, *args, **more)

    monkeypatch.setattr(DiscordClient, "post", post)
    await enqueue(ledger, MANY)
    async with DiscordClient(channel.url) as discord, await relay_of(ledger, discord):
        pass
    assert shown(channel.world) == MANY[1:]
    unknown = [each.key for each in await ledger.run(outbox.messages, MessageState.UNKNOWN)]
    assert unknown == MANY[:1]


async def test_what_became_of_a_message_is_noted_although_the_ledger_was_busy(
    channel: Channel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Otherwise it would be on its way for as long as its run lasts, and no news would follow."""
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.05)
    channel.faults.arm("delay", "discord.post", seconds=600)
    async with open_ledger(tmp_path / "ledger.db") as ledger, DiscordClient(channel.url) as discord:
        await enqueue(ledger, MANY[:1])
        somebody = sqlite3.connect(tmp_path / "ledger.db")
        async with await relay_of(ledger, discord):
            await wait_until(lambda: not channel.faults.armed(), description="Discord to have it")
            somebody.execute("BEGIN IMMEDIATE")
            channel.faults.release()
            await wait_until(lambda: "outcome is to be noted" in caplog.text)
            somebody.rollback()
        somebody.close()
        (message,) = await ledger.run(outbox.messages)
    assert (message.state, shown(channel.world)) == (MessageState.SENT, MANY[:1])
