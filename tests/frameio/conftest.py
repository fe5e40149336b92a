"""A world whose rate windows are short, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from postflow.frameio import FrameioClient
from postflow.models import Project
from sandbox import Sandbox
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
