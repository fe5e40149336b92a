"""What `check` sees while a tunnel is in use."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from postflow.errors import Fatal, Retry
from postflow.outlet.ngrok.provider import NgrokTunnel
from tests.support.agents import Agents
from tests.support.wait import wait_until

NOWHERE = "http://127.0.0.1:9"


async def trouble(tunnel: NgrokTunnel) -> Retry | Fatal | None:
    try:
        await tunnel.check()
    except (Retry, Fatal) as error:
        return error
    return None


async def test_crash_in_the_middle_of_a_transfer_is_noticed(
    agents: Agents, files_url: str, tmp_path: Path
) -> None:
    (tmp_path / "files" / "clip.mov").write_bytes(bytes(8 * 1024 * 1024))
    slow = {"what": "rate", "bytes_per_second": 100_000}
    async with (
        agents.provider(slow).open(files_url) as tunnel,
        aiohttp.ClientSession() as client,
        client.get(f"{tunnel.public_url.get_secret_value()}/clip.mov") as answer,
    ):
        await answer.content.readexactly(1000)
        await agents.crash()
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
        with pytest.raises(Retry) as dead:
            await tunnel.check()
        assert dead.value.code == "tunnel.ngrok.dead"
        assert agents.processes() == []


@pytest.mark.parametrize(
    ("strike", "options", "kind", "code"),
    [
        pytest.param("new_address", {}, Retry, "moved", id="pyngrok goes on showing the old one"),
        pytest.param("endpoint_gone", {}, Retry, "dead", id="the endpoint was taken away"),
        pytest.param("thrown_out", {"code": 102}, Fatal, "102", id="the account was suspended"),
    ],
)
async def test_what_befalls_a_tunnel_is_noticed(
    agents: Agents, strike: str, options: dict[str, int], kind: type[Retry | Fatal], code: str
) -> None:
    async with agents.provider().open(NOWHERE) as tunnel:
        await agents.strike(strike, **options)
        if kind is Fatal:
            await wait_until(lambda: not agents.processes(), description="the agent's end")
        with pytest.raises(kind) as noticed:
            await tunnel.check()
        assert noticed.value.code == f"tunnel.ngrok.{code}"


async def test_short_drop_is_borne(agents: Agents) -> None:
    async with agents.provider().open(NOWHERE) as tunnel:
        await agents.strike("drop", seconds=0.2)
        assert await trouble(tunnel) is None


async def test_long_drop_is_an_error_until_it_ends(agents: Agents) -> None:
    async with agents.provider(drop_grace=0).open(NOWHERE) as tunnel:
        await agents.strike("drop", seconds=3)
        seen: list[Retry | Fatal | None] = []
        while not seen or seen[-1] is not None:
            seen.append(await trouble(tunnel))
            await asyncio.sleep(0.1)
        assert {error.code for error in seen if error} == {"tunnel.ngrok.lost"}


async def test_trouble_that_has_passed_is_no_reason(agents: Agents) -> None:
    async with agents.provider().open(NOWHERE) as tunnel:
        await agents.strike("grumble", code=334)
        await tunnel.check()
        await agents.crash()
        with pytest.raises(Retry) as dead:
            await tunnel.check()
        assert dead.value.code == "tunnel.ngrok.dead"


async def test_talkative_agent_is_read(agents: Agents) -> None:
    """An agent nobody reads stops when its pipe, 64 KiB, is full."""
    async with agents.provider().open(NOWHERE) as tunnel:
        await agents.strike("noise", lines=3000)
        await tunnel.check()


async def test_a_closed_tunnel_is_dead(agents: Agents) -> None:
    async with agents.provider().open(NOWHERE) as tunnel:
        await tunnel.check()
        await tunnel.close()
        error = await trouble(tunnel)
        assert error is not None
        assert error.code == "tunnel.ngrok.dead"
