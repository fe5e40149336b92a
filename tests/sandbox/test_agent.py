"""The stand-in for the ngrok agent and the sandbox know each other."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx
import pytest

from postflow.sandbox import Sandbox
from tests.support.wait import wait_until_sync


@pytest.fixture
def configuration(world: Sandbox, tmp_path: Path) -> Path:
    path = tmp_path / "ngrok.yml"
    agent = f"agent: {{authtoken: {world.ngrok_authtoken}, web_addr: '127.0.0.1:0'}}"
    path.write_text(f"version: 3\n{agent}\n", encoding="utf-8")
    return path


def start(world: Sandbox, configuration: Path) -> subprocess.Popen[str]:
    command = [world.ngrok_path, "start", "--none", "--log", "stdout"]
    command += ["--config", str(configuration)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_agent_refuses_when_the_sandbox_says_so(world: Sandbox, configuration: Path) -> None:
    world.fault("agent_refuse", "agent", code=108)

    with start(world, configuration) as agent:
        told, _ = agent.communicate(timeout=30)

    assert "ERR_NGROK_108" in told
    assert agent.returncode == 1


def test_running_agent_dies_when_the_sandbox_says_so(world: Sandbox, configuration: Path) -> None:
    with start(world, configuration) as agent:
        assert agent.stdout is not None
        line = next(line for line in agent.stdout if "session established" in line)
        world.fault("agent_crash", "agent")
        agent.communicate(timeout=30)

    assert line
    assert agent.returncode == -9


def test_edge_fault_reaches_the_agent_that_starts_later(
    world: Sandbox, configuration: Path
) -> None:
    world.fault("quota_page", "edge")

    with start(world, configuration) as agent:
        wait_until_sync(lambda: httpx.get(f"{world.url}/sandbox/faults").json() == [])
        agent.terminate()
        agent.communicate(timeout=30)

    assert agent.returncode == 0
