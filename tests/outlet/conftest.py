"""Agents and a plain local server for the tunnels to lead to."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.support.agents import Agents


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Agents]:
    """Agents of this test; none of them may outlive it."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    agents = Agents(tmp_path)
    yield agents
    left = agents.leftovers()
    for process in agents.processes():
        process.kill()
    assert left == []


@pytest.fixture
async def files_url(tmp_path: Path) -> AsyncIterator[str]:
    """A server of the files in `tmp_path/files`."""
    folder = tmp_path / "files"
    folder.mkdir()
    application = web.Application()
    application.router.add_static("/", folder)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()
