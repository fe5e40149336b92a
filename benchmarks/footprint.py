"""What a clip costs Prefect's server, through `postflow up` and the sandbox.

    python -m benchmarks.footprint [--clips 50] [--check]

Bytes of Prefect's database that are in use, rows of its largest tables, bytes of stored results,
and CPU of each process, each a clip, once all is written down. The first clip is not counted: with
it comes what each start costs. `--check` ends with 1 when a clip takes more than 6 task runs, 61 kB
of the database, or 16 kB of results.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.burst import WATCHING, cpu_of, drop, is_told
from postflow.cli.demo import cleared, sandbox_up, wait_for
from postflow.ledger import Ledger
from postflow.outlet.tunnel import free_port
from postflow.sandbox import Sandbox

TABLES = (
    *("flow_run", "flow_run_state", "task_run", "task_run_state", "task_run_state_cache"),
    *("events", "event_resources", "log", "artifact", "artifact_collection"),
)
GOALS = {"task_run": 6.0, "database bytes": 61_000.0, "result bytes": 16_000.0}
# What Prefect's clients and server hold back is written after some seconds.
SETTLED = 12.0
LIMIT = 900.0


def footprint(home: Path, up: psutil.Popen) -> dict[str, float]:
    database = f"file:{home / 'prefect' / 'prefect.db'}?mode=ro"
    with closing(sqlite3.connect(database, uri=True)) as connection:
        (pages,), (free,), (size,) = (
            connection.execute(f"PRAGMA {name}").fetchone()
            for name in ("page_count", "freelist_count", "page_size")
        )
        rows = {name: _count(connection, name) for name in TABLES}
    stored = [each.stat().st_size for each in (home / "prefect" / "storage").glob("*")]
    return {
        "database bytes": (pages - free) * size,
        "result bytes": sum(stored),
        "results": len(stored),
        **rows,
        **{f"CPU s, {name}": seconds for name, seconds in cpu_of(up).items()},
    }


def _count(connection: sqlite3.Connection, table: str) -> int:
    found: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return found


def measure(clips: int) -> dict[str, float]:
    """A clip's share of what the clips after the first have cost."""
    with Sandbox() as world, tempfile.TemporaryDirectory() as folder:
        home = cleared(Path(folder))
        with (
            sandbox_up(world.describe(), home, free_port(), watching=WATCHING) as up,
            Ledger.open(home / "state" / "ledger.db") as ledger,
        ):
            found = []
            for first, last in ((1, 1), (2, clips + 1)):
                names = [f"SQ07_UNDLM_{n:05}_v001.mov" for n in range(first, last + 1)]
                drop(home / "watch", names)
                wait_for(partial(is_told, ledger, last), up, home, limit=LIMIT)
                time.sleep(SETTLED)
                found.append(footprint(home, up))
    before, after = found
    return {name: (after[name] - before[name]) / clips for name in after}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clips", type=int, default=50)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    found = measure(given.clips)
    table = Table("what", "a clip", title=f"Prefect's footprint, {given.clips} clips", box=None)
    for name, value in found.items():
        table.add_row(name, f"{value:,.1f}" if value < 1000 else f"{value:,.0f}")
    Console().print(table)
    missed = [name for name, goal in GOALS.items() if found[name] > goal]
    return int(given.check and bool(missed))


if __name__ == "__main__":
    sys.exit(main())
