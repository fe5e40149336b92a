"""Ledgers to test on: SQLite always, PostgreSQL where its server is on the machine."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from postflow.ledger import Ledger, Root, roots
from postflow.ledger.opening import open_engine
from postflow.media.volume import file_system_of
from tests.ledger.ground import Clock, Shared, empty
from tests.ledger.postgres_server import find_server, running_server

MISSING = "PostgreSQL's server is not installed (Debian: apt-get install postgresql)"
_numbers = itertools.count(1)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say aloud what was not tested."""
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if MISSING in str(r.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} ledger tests left out: {MISSING}", red=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    programs = find_server()
    if programs is None:
        if "CI" in os.environ:
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with running_server(programs) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """A PostgreSQL schema of the test's own."""
    return _new_schema(postgres_server)


def _new_schema(server: str) -> str:
    name = f"t{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"{server}&options=-csearch_path%3D{name}"


@contextmanager
def a_quick_folder() -> Iterator[Path]:
    """In memory where that can be had: the tests kill processes, they do not cut the power."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="postflow-", dir=memory) as folder:
        yield Path(folder)


@pytest.fixture
def quick_folder() -> Iterator[Path]:
    with a_quick_folder() as folder:
        yield folder


@pytest.fixture
def sqlite_url(quick_folder: Path) -> str:
    return str(quick_folder / "ledger.db")


@pytest.fixture(scope="session")
def sqlite_shared() -> Iterator[Shared]:
    with a_quick_folder() as folder, shared(str(folder / "ledger.db")) as opened:
        yield opened


@pytest.fixture(scope="session")
def postgres_shared(postgres_server: str) -> Iterator[Shared]:
    with shared(_new_schema(postgres_server)) as opened:
        yield opened


@contextmanager
def shared(where: str) -> Iterator[Shared]:
    engine = open_engine(where, file_system_of)
    yield Shared(where, engine)
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def emptied(request: pytest.FixtureRequest) -> Shared:
    """A database of each kind, emptied; what SQLAlchemy has compiled for it is kept."""
    opened: Shared = request.getfixturevalue(f"{request.param}_shared")
    empty(opened.engine)
    return opened


@pytest.fixture
def where(emptied: Shared) -> str:
    """Its address, for who opens it once more."""
    return emptied.where


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(emptied: Shared, clock: Clock) -> Ledger:
    return Ledger(emptied.engine, clock)


@pytest.fixture
def root(ledger: Ledger) -> Root:
    return roots.add(ledger, "main", Path("/mnt/show"), "mark-1")
