"""A tunnel through real pyngrok and the stand-in agent: opened, used, closed."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from pathlib import Path

import aiohttp
import pytest
from pydantic import SecretStr

from postflow.errors import Retry
from postflow.outlet.ngrok.agent import Agent
from postflow.outlet.ngrok.folder import AgentFolder
from postflow.outlet.ngrok.quirks import LOOPBACK
from tests.support.agents import TOKEN, Agents

NOWHERE = "http://127.0.0.1:9"
MIB = 1024 * 1024


async def sha256_of(url: str) -> str:
    digest = hashlib.sha256()
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        assert answer.status == 200
        async for chunk in answer.content.iter_chunked(MIB):
            digest.update(chunk)
    return digest.hexdigest()


async def test_carries_50_mib_unharmed(agents: Agents, files_url: str, tmp_path: Path) -> None:
    content = os.urandom(50 * MIB)
    (tmp_path / "files" / "clip.mov").write_bytes(content)
    async with agents.provider().open(files_url) as tunnel:
        url = tunnel.public_url.get_secret_value()
        assert not url.startswith(files_url)
        assert await sha256_of(f"{url}/clip.mov") == hashlib.sha256(content).hexdigest()


async def test_address_is_dead_once_closed(agents: Agents, files_url: str) -> None:
    async with agents.provider().open(files_url) as tunnel:
        url = tunnel.public_url.get_secret_value()
    async with aiohttp.ClientSession() as client:
        with pytest.raises(aiohttp.ClientConnectorError):
            await client.get(url)


async def test_closing_twice_and_after_a_crash_is_harmless(agents: Agents) -> None:
    async with agents.provider().open(NOWHERE) as tunnel:
        await agents.crash()
        await tunnel.close()
        await tunnel.close()
        assert agents.leftovers() == []


async def test_slow_agent_is_waited_for(agents: Agents) -> None:
    slow = {"what": "agent_slow", "seconds": 1}
    async with agents.provider(slow).open(NOWHERE) as tunnel:
        await tunnel.check()


async def test_endpoint_is_adopted_when_the_answer_to_its_request_is_lost(agents: Agents) -> None:
    delay = {"what": "connect_delay", "seconds": 30}
    async with agents.provider(delay, request_timeout=2.0).open(NOWHERE) as tunnel:
        await tunnel.check()


async def test_two_providers_have_an_agent_each_with_its_own_token(agents: Agents) -> None:
    """pyngrok alone would silently use the first agent for both."""
    other = "2otherToken_0123456789abcdef"
    ngrok = agents.ngrok(token=other)
    async with (
        agents.provider().open(NOWHERE) as first,
        agents.provider(ngrok=ngrok, given=other).open(NOWHERE) as second,
    ):
        assert first.public_url != second.public_url
        assert len(agents.processes()) == 2
        await first.check()
        await second.check()


async def test_reserved_domain_keeps_its_address(agents: Agents) -> None:
    provider = agents.provider(domain="studio.ngrok.app")
    async with provider.open(NOWHERE) as first:
        address = first.public_url
    async with provider.open(NOWHERE) as second:
        assert second.public_url == address


def test_port_taken_in_the_last_moment_is_told_apart(agents: Agents) -> None:
    """Somebody binds the port between our choice and the agent's start."""
    folder = AgentFolder.create(agents.state)
    limits = {"startup_timeout": 20.0, "request_timeout": 5.0}
    agent = Agent(agents.ngrok(), SecretStr(TOKEN), folder, **limits)
    host, port = json.loads(folder.config.read_text())["agent"]["web_addr"].split(":")
    with socket.create_server((host, int(port))), pytest.raises(Retry) as refused:
        agent.start()
    agent.stop()
    assert (refused.value.code, refused.value.retry_after) == ("tunnel.ngrok.port", 0.0)


async def test_configured_proxy_is_not_asked_for_loopback(
    agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyngrok would send its calls to the agent's local API there."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "studio.example")
    async with agents.provider().open(NOWHERE) as tunnel:
        await tunnel.check()
    assert os.environ["no_proxy"].split(",") == ["studio.example", *LOOPBACK]
