"""A look-out that died is told of by the server, though nothing else of PostFlow runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import web
from prefect import get_client
from pydantic import SecretStr

from postflow.blocks.discord import DiscordWebhook
from postflow.engine.heartbeat import Heartbeat, tell_of_silence
from postflow.feeds import Alarm
from postflow.sandbox import Sandbox
from tests.journeys.proof import titles
from tests.journeys.studios import save
from tests.support.wait import wait_until

pytestmark = pytest.mark.prefect

SILENT = "Nobody looks at the watched folders"
STUDIOS = ("dies", "hangs", "is-ended")
SHORTEST = timedelta(seconds=10)


async def test_that_no_scan_ends_any_more_is_told_once_and_that_somebody_ended_it_is_not(
    nothing_cached: None, world: Sandbox, outside: tuple[str, list[str]]
) -> None:
    address, alarms = outside
    alarm = Alarm(url=SecretStr(address.replace("http://", "json://")))
    webhook = DiscordWebhook(url=SecretStr(world.discord_webhook_url))
    dies, hangs, is_ended = (Heartbeat(each, None) for each in STUDIOS)
    for studio in STUDIOS:
        await tell_of_silence(studio, webhook)
        await tell_of_silence(studio, webhook, [alarm], after=SHORTEST)
    async with get_client() as client:
        names = [each.name for each in await client.read_automations()]
    ours = [name for name in names if any(f"of {each} is silent" in name for each in STUDIOS)]
    assert len(ours) == 3, "brought up to date"
    async with is_ended.telling(None):
        is_ended.beat()
    dies.beat()
    async with hangs.telling(None):  # and never a scan ends
        await wait_until(lambda: titles(world).count(SILENT) > 1)
        await wait_until(lambda: len(alarms) > 1, description="the alarms")
    described = [message["embeds"][0]["description"] for message in world.messages()]
    silent = {text.partition(" has ended")[0] for text in described}
    assert silent == {"No scan of studio dies", "No scan of studio hangs"}


@pytest.fixture
async def outside() -> AsyncIterator[tuple[str, list[str]]]:
    """A service that is called, and the calls."""
    calls: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        calls.append(request.path)
        raise web.HTTPInternalServerError

    app = web.Application()
    app.router.add_route("*", "/{secret}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/s3cret", calls
    await runner.cleanup()


async def test_a_service_outside_is_called_and_its_address_told_to_nobody(
    nothing_cached: None,
    world: Sandbox,
    outside: tuple[str, list[str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    from postflow.blocks.studio import load_studio

    address, calls = outside
    ping = (await load_studio(await save(world, name="pings", ping=address))).ping
    heartbeat = Heartbeat("pings", ping, every=0.0)
    async with heartbeat.telling(None):
        while len(calls) < 2:
            heartbeat.beat()
            await asyncio.sleep(0.01)
    assert "s3cret" not in caplog.text
