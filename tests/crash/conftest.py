"""Lives that may be killed, in worlds of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from tests.crash.ground import Ground, prepare
from tests.crash.lives import Nursery, nursery
from tests.ledger.conftest import (  # noqa: F401 - fixtures are found by their names here
    postgres_server,
    postgres_url,
    quick_folder,
    sqlite_url,
)

MakeGround = Callable[..., AbstractAsyncContextManager[Ground]]


@pytest.fixture(scope="session")
def warm_nursery(prefect_api: str) -> Iterator[Nursery]:
    with nursery(prefect_api) as ready:
        yield ready


@pytest.fixture
def make_ground(warm_nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> MakeGround:
    """Open a world with a studio: `async with make_ground(...) as ground`."""

    def make(**given: Any) -> AbstractAsyncContextManager[Ground]:
        return prepare(warm_nursery, tmp_path_factory.mktemp("crash"), **given)

    return make


@pytest.fixture
async def ground(make_ground: MakeGround) -> AsyncIterator[Ground]:
    async with make_ground() as opened:
        yield opened
