"""A ledger with a clip of each kind, its page, and a person before it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from postflow.ledger import Ledger, Root
from tests.page.ground import Person, Served, a_page, lively


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Root]:
    """A ledger that each test has a copy of."""
    path = tmp_path_factory.mktemp("lively") / "ledger.db"
    with Ledger.open(path) as opened:
        return path, lively(opened)


@pytest.fixture
def ledger(filled: tuple[Path, Root], tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(shutil.copy(filled[0], tmp_path / "ledger.db")) as opened:
        yield opened


@pytest.fixture
def root(filled: tuple[Path, Root]) -> Root:
    return filled[1]


@pytest.fixture
async def page(ledger: Ledger, root: Root) -> AsyncIterator[Served]:
    async with a_page(Path(ledger.place), studios=("main", "second")) as served:
        yield served


@pytest.fixture
async def person(page: Served) -> AsyncIterator[Person]:
    async with Person(page.url) as signed_in:
        yield signed_in
