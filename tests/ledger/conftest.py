"""Ledgers to test on: SQLite always, PostgreSQL where its server is on the machine."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from postflow.ledger import Ledger, Root, roots
from postflow.ledger.schema import metadata
from tests.ledger.ground import Clock
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


@pytest.fixture(scope="session")
def postgres_ledger(postgres_server: str) -> str:
    url = _new_schema(postgres_server)
    Ledger.open(url).close()
    return url


@pytest.fixture
def emptied_postgres_url(postgres_ledger: str) -> str:
    """A ledger that is there and empty, which is quicker than a new one."""
    tables = ", ".join(sorted(metadata.tables.keys() - {"meta"}))
    with psycopg.connect(postgres_ledger, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {tables} RESTART IDENTITY")
    return postgres_ledger


def _new_schema(server: str) -> str:
    name = f"t{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"{server}&options=-csearch_path%3D{name}"


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where that can be had: the tests kill processes, they do not cut the power."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="postflow-", dir=memory) as folder:
        yield Path(folder)


@pytest.fixture
def sqlite_url(quick_folder: Path) -> str:
    return str(quick_folder / "ledger.db")


@pytest.fixture(params=["sqlite", "emptied_postgres"])
def where(request: pytest.FixtureRequest) -> str:
    """An address of each kind of database."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(where: str, clock: Clock) -> Iterator[Ledger]:
    with Ledger.open(where, clock=clock) as opened:
        yield opened


@pytest.fixture
def root(ledger: Ledger) -> Root:
    return roots.add(ledger, "main", Path("/mnt/show"), "mark-1")
