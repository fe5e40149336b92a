"""One world whose switches are turned, and a visit to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from postflow.sandbox import Sandbox
from postflow.sandbox.clips import clip_path
from postflow.service.contact.visit import Bounds, Visit
from tests.frameio.connecting import connected, project_of

QUICK = Bounds(question=20.0, slow=20.0, poll=0.02)


@pytest.fixture(scope="module")
def shared_world() -> Iterator[Sandbox]:
    with Sandbox(rate_scale=60) as running:
        yield running


@pytest.fixture
def world(shared_world: Sandbox) -> Sandbox:
    shared_world.reset()
    return shared_world


@pytest.fixture
async def visit(world: Sandbox, tmp_path: Path) -> AsyncIterator[Visit]:
    async with connected(world, tmp_path) as frameio:
        yield Visit(frameio, project_of(world), clip_path(), QUICK, renews=True)
