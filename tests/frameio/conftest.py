"""A world whose rate windows are short, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import SecretStr

from postflow.frameio import FrameioClient
from postflow.models import Project
from postflow.sandbox import Sandbox
from tests.frameio.connecting import connected, project_of


@pytest.fixture
def world() -> Iterator[Sandbox]:
    with Sandbox(rate_scale=100) as running:
        yield running


@pytest.fixture
def project(world: Sandbox) -> Project:
    return project_of(world)


@pytest.fixture
async def client(world: Sandbox, tmp_path: Path) -> AsyncIterator[FrameioClient]:
    async with connected(world, tmp_path) as running:
        yield running


@pytest.fixture
async def source_url() -> AsyncIterator[SecretStr]:
    """Where a clip of four bytes is to be had."""

    async def serve(_request: web.Request) -> web.Response:
        return web.Response(body=b"moov")

    app = web.Application()
    app.router.add_get("/clip.mov", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    yield SecretStr(f"http://{host}:{port}/clip.mov")
    await runner.cleanup()
