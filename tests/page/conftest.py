"""A ledger with a clip of each kind, its page, and a person before it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from postflow.ledger import Ledger, Root
from tests.page.ground import Person, Served, a_page, lively


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        yield opened


@pytest.fixture
def root(ledger: Ledger) -> Root:
    return lively(ledger)


@pytest.fixture
async def page(ledger: Ledger, root: Root) -> AsyncIterator[Served]:
    async with a_page(Path(ledger.place), studios=("main", "second")) as served:
        yield served


@pytest.fixture
async def person(page: Served) -> AsyncIterator[Person]:
    async with Person(page.url) as signed_in:
        yield signed_in
