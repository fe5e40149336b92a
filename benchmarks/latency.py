"""From a file in the watched folder to a delivered clip, through `postflow up` and the sandbox.

    python benchmarks/latency.py [--rounds 3]

Each clip finds no ingest run under way: what is measured is Prefect's whole chain. Medians, in
seconds since the clip was known to be whole.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from datetime import datetime
from functools import partial
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from postflow.cli.demo import cleared, sandbox_up, wait_for
from postflow.ledger import Clip, Ledger, Phase, queries
from postflow.outlet.tunnel import free_port
from postflow.sandbox import Sandbox
from postflow.sandbox.clips import clip_path
from tests.support.signed_in import SignedIn

WATCHING = {"quiet": 0.5, "interval": 0.5, "idle_timeout": 0.0}
MOMENTS = ("run created", "run started", "clip delivered")


def drop(folder: Path, name: str) -> None:
    hidden = folder / f".{name}"
    hidden.write_bytes(clip_path().read_bytes())
    hidden.replace(folder / name)


def delivered(home: Path, name: str) -> Clip | None:
    with Ledger.open(home / "state" / "ledger.db") as ledger:
        return next(iter(queries.rows(ledger, name=name, phase=Phase.DELIVERED)), None)


def is_delivered(home: Path, name: str) -> bool:
    return delivered(home, name) is not None


def last_ingest(home: Path, port: int) -> dict[str, str]:
    """The last one that was due."""
    body = {
        "flows": {"name": {"any_": ["ingest"]}},
        "flow_runs": {"state": {"type": {"not_any_": ["SCHEDULED"]}}},
        "sort": "START_TIME_DESC",
        "limit": 1,
    }
    signed_in = SignedIn((home / "state" / "prefect-password").read_text())
    url = f"http://127.0.0.1:{port}/api/flow_runs/filter"
    answer = httpx.post(url, json=body, auth=signed_in)
    return dict(answer.raise_for_status().json()[0])


def moments(clip: Clip, run: dict[str, str]) -> list[float]:
    assert clip.finished_at is not None
    times = [datetime.fromisoformat(run[each]) for each in ("created", "start_time")]
    return [(time - clip.found_at).total_seconds() for time in (*times, clip.finished_at)]


def measure(rounds: int) -> list[list[float]]:
    found = []
    with Sandbox() as world, tempfile.TemporaryDirectory() as folder:
        home, port = cleared(Path(folder)), free_port()
        with sandbox_up(world.describe(), home, port, watching=WATCHING) as up:
            for number in range(1, rounds + 1):
                drop(home / "watch", name := f"SQ07_UNDLM_{number:05}_v001.mov")
                wait_for(partial(is_delivered, home, name), up, home)
                wait_for(lambda: last_ingest(home, port)["state_type"] == "COMPLETED", up, home)
                clip = delivered(home, name)
                assert clip is not None
                found.append(moments(clip, last_ingest(home, port)))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    found = measure(parser.parse_args().rounds)
    table = Table("moment", "seconds after the clip was whole", title="Event to delivery", box=None)
    for moment, seconds in zip(MOMENTS, zip(*found, strict=True), strict=True):
        table.add_row(moment, f"{statistics.median(seconds):.1f}")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
