"""The ledger at 1,000, 10,000 and 100,000 delivered clips, on SQLite and PostgreSQL.

    python -m benchmarks.size [--clips 1000 10000 100000] [--check]

Each clip has its file, an attempt, eight steps and a message; twenty more wait, twenty have failed
and twenty are put off. Milliseconds, the best of five, and of CPU in brackets; PostgreSQL where it
is on this machine. `--check` ends with 1 when `counts`, `rows` or the start of an `ingest` run
beside a watcher takes 50 ms, or `known` 0.3 s of CPU or 30 MB, with the most clips.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, text

from postflow.folder.enrolment import enrol
from postflow.folder.root import read_mark
from postflow.folder.watcher import FolderWatcher
from postflow.ledger import Ledger, Root, claims, observations, open_ledger, queries, roots
from postflow.models import EPOCH
from tests.ledger.postgres_server import find_server, running_server

SIZES = (1_000, 10_000, 100_000)
EACH = 20
ROUNDS = 5
QUICK_MS, KNOWN_CPU_MS, KNOWN_MB = 50.0, 300.0, 30.0

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :most) "
PATH = "'2_FROM_ANIM/SQ' || (i % 100) || '/SQ' || (i % 100) || '_UNDLM_' || i || '_v001.mov'"
FILES = f"""INSERT INTO observations (root_id, relpath, disk_path, size, mtime_ns, state, since,
waiting_since, refused) {NUMBERS} SELECT :root, {PATH}, {PATH}, 800000000 + i,
1700000000000000000 + i, 'settled', :at + i, :at + i, false FROM n"""
CLIPS = f"""INSERT INTO clips (id, root_id, studio, relpath, disk_path, name, revision, fingerprint,
size, mtime_ns, state, found_at, since, finished_at, not_before, token, tries, folder_id, stack,
file_id, view_url, priority) {NUMBERS} SELECT i, :root, 'main', {PATH}, {PATH},
'SQ_UNDLM_' || i || '_v001.mov', 'revision-' || i, 'fingerprint-' || i, 800000000 + i,
1700000000000000000 + i,
CASE WHEN i <= :failed THEN 'failed' WHEN i <= :open THEN 'ready' ELSE 'done' END, :at + i, :at + i,
CASE WHEN i > :failed AND i <= :open THEN NULL ELSE :at + i END,
CASE WHEN i > :failed AND i <= :late THEN :never END, 1, 0, 'folder-' || (i / 3),
'SQ_' || (i / 3), 'file-' || i, 'https://next.frame.io/project/1/view/' || i, 0 FROM n"""
STEPS = f"""INSERT INTO history (clip_id, at, event, was, now, token, detail) {NUMBERS}
SELECT i, :at + i, 'step', 'ready', 'requesting', 1, '{{"number": 1}}' FROM n"""
ATTEMPTS = f"""INSERT INTO attempts (clip_id, number, way, intended_at, file_id, outcome)
{NUMBERS} SELECT i, 1, 'tunnel', :at + i, 'file-' || i, 'arrived' FROM n"""
MESSAGES = f"""INSERT INTO outbox (key, channel, clip_id, payload, wanted, offered, shown, state,
token, tries, made_at, since) {NUMBERS} SELECT 'clip-' || i, 'main', i, :payload, 1, 1, 1, 'sent',
0, 0, :at, :at FROM n"""


def fill(ledger: Ledger, root: Root, clips: int) -> None:
    at = (datetime.now(tz=UTC) - timedelta(days=30) - EPOCH) // timedelta(microseconds=1)
    about = {
        "most": clips + 3 * EACH,
        "root": root.id,
        "at": at,
        "failed": EACH,
        "late": 2 * EACH,
        "open": 3 * EACH,
        "never": at * 2,
        "payload": '{"embeds": [{"title": "' + "x" * 400 + '"}]}',
    }
    with ledger.writing() as tx:
        for statement in (FILES, CLIPS, *[STEPS] * 8, ATTEMPTS, MESSAGES):
            _insert(tx.connection, statement, about)
    if ledger.dialect == "postgresql":  # which does so by itself after a while; SQLite never does
        with ledger.writing() as tx:
            tx.execute(text("ANALYZE"))


def _insert(connection: Connection, statement: str, about: dict[str, Any]) -> None:
    used = {name: value for name, value in about.items() if f":{name}" in statement}
    connection.execute(text(statement), used)


Measured = tuple[float, float]


def best(call: Callable[[], object]) -> Measured:
    """Milliseconds, and those of CPU."""
    found = []
    for _ in range(ROUNDS):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        found.append((time.perf_counter() - wall, time.process_time() - cpu))
    return 1000 * min(wall for wall, _ in found), 1000 * min(cpu for _, cpu in found)


def megabytes(call: Callable[[], object]) -> float:
    """Of memory that the answer takes."""
    tracemalloc.start()
    kept = call()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return taken / 1e6


async def begin(where: str | Path, folder: Path) -> Measured:
    """As an `ingest` run does beside a living watcher: it meets the folder and looks for clips."""
    async with open_ledger(where) as ledger:
        wall, cpu = time.perf_counter(), time.process_time()
        watcher = FolderWatcher(ledger, "main", folder, trusts=True)
        await watcher.scan()
        assert watcher.root is not None
        await ledger.run(claims.ready, "main", folders={watcher.root.id: folder})
        return 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)


async def _watch_once(where: str | Path, folder: Path) -> None:
    async with open_ledger(where) as ledger:
        await FolderWatcher(ledger, "main", folder, lease=3600.0).scan()


def measure(where: str | Path, folder: Path, clips: int) -> dict[str, Measured | float]:
    with Ledger.open(where) as ledger:
        enrol(ledger, "main", folder)
        asyncio.run(_watch_once(where, folder))
        root = roots.find_root(ledger, "main", read_mark(folder).id)
        assert root is not None
        fill(ledger, root, clips)
        known = partial(observations.known, ledger, root)
        calls: dict[str, Callable[[], object]] = {
            "ready": partial(claims.ready, ledger, "main"),
            "counts": partial(queries.counts, ledger, "main"),
            "rows, 50": partial(queries.rows, ledger, studio="main", limit=50),
            "rows by name": partial(queries.rows, ledger, name="SQ_UNDLM_77_v001.mov"),
            "known": known,
        }
        found: dict[str, Measured | float] = {name: best(call) for name, call in calls.items()}
        found["known, MB"] = megabytes(known)
    found["start of ingest"] = min(asyncio.run(begin(where, folder)) for _ in range(ROUNDS))
    return found


@contextmanager
def databases(home: Path) -> Iterator[dict[str, Callable[[int], str | Path]]]:
    """A new one for each size."""
    of_sqlite: dict[str, Callable[[int], str | Path]] = {
        "SQLite": lambda clips: home / f"{clips}.db"
    }
    if (programs := find_server()) is None:
        yield of_sqlite
        return
    with running_server(programs) as url:
        yield of_sqlite | {"PostgreSQL": partial(_new_database, url)}


def _new_database(url: str, clips: int) -> str:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE of_{clips}")
    return url.replace("/postgres?", f"/of_{clips}?")


def missed(found: dict[str, Measured | float]) -> bool:
    quick = [found[name] for name in ("counts", "rows, 50", "rows by name", "start of ingest")]
    late = [each for each in quick if isinstance(each, tuple) and each[0] > QUICK_MS]
    known = found["known"]
    assert isinstance(known, tuple)
    return bool(late) or known[1] > KNOWN_CPU_MS or float(str(found["known, MB"])) > KNOWN_MB


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clips", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    columns: dict[str, dict[str, Measured | float]] = {}
    with tempfile.TemporaryDirectory() as folder, databases(Path(folder)) as kinds:
        for kind, place in kinds.items():
            for clips in given.clips:
                (watched := Path(folder, f"{kind} {clips}")).mkdir()
                columns[f"{kind} {clips:,}"] = measure(place(clips), watched, clips)
    table = Table("ms [CPU]", *columns, title="The ledger by its size", box=None)
    for name in next(iter(columns.values())):
        table.add_row(name, *(_shown(column[name]) for column in columns.values()))
    Console(width=140).print(table, markup=False)
    return int(given.check and any(map(missed, columns.values())))


def _shown(found: Measured | float) -> str:
    return f"{found[0]:.1f} [{found[1]:.1f}]" if isinstance(found, tuple) else f"{found:.1f}"


if __name__ == "__main__":
    sys.exit(main())
