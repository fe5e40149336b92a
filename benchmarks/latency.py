"""From a file in the watched folder to a delivered clip, through `postflow up` and the sandbox.

    python -m benchmarks.latency [--pairs 10] [--check]

Clips arrive one by one, in pairs: one while an `ingest` run stays for it, and one after that run
was cancelled in Prefect, so that a new one has to be called. Medians, in seconds since the clip was
known to be whole: until its run began, Frame.io was asked for a file, and it was delivered.
`--check` ends with 1 when a run that stays takes more than 1.5 s to begin the clip's.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.burst import drop
from postflow.cli.demo import cleared, sandbox_up, wait_for
from postflow.ledger import Clip, Ledger, Phase, queries
from postflow.outlet.tunnel import free_port
from postflow.sandbox import Sandbox
from tests.support.signed_in import SignedIn

WATCHING = {"quiet": 0.5, "interval": 0.5, "idle_timeout": 1.0}
MOMENTS = ("run began", "Frame.io asked", "delivered")
GOAL = 1.5


class Studio:
    """`up`, and what Prefect and the ledger say of its clips."""

    def __init__(self, home: Path, port: int, up: psutil.Popen) -> None:
        self._home = home
        self._up = up
        password = (home / "state" / "prefect-password").read_text()
        url = f"http://127.0.0.1:{port}/api"
        self._prefect = httpx.Client(base_url=url, auth=SignedIn(password), timeout=30)

    def deliver(self, number: int) -> list[float]:
        """Seconds until each of the MOMENTS."""
        name = f"SQ07_UNDLM_{number:05}_v001.mov"
        drop(self._home / "watch", [name])
        self.wait(partial(self._is_delivered, name))
        with Ledger.open(self._home / "state" / "ledger.db") as ledger:
            (clip,) = queries.rows(ledger, name=name)
            asked = next(e.at for e in queries.steps(ledger, clip.id) if e.now == "requesting")
        (run,) = self._runs("deliver", {"name": {"any_": [name]}})
        began = datetime.fromisoformat(run["start_time"])
        return [self._since(clip, each) for each in (began, asked, clip.finished_at)]

    def is_staying(self) -> bool:
        """Does a run of `ingest` wait for the next clip, with nothing on its way?"""
        on_their_way = self._runs("deliver", {"state": {"type": {"any_": ["RUNNING"]}}})
        return bool(self._ingest_runs()) and not on_their_way

    def end_ingest(self) -> None:
        for run in self._ingest_runs():
            state = {"state": {"type": "CANCELLING"}}
            self._prefect.post(f"/flow_runs/{run['id']}/set_state", json=state).raise_for_status()
        self.wait(lambda: not self._ingest_runs())

    def wait(self, is_so: Any) -> None:
        wait_for(is_so, self._up, self._home)

    def _ingest_runs(self) -> list[dict[str, Any]]:
        under_way = {"state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}}
        return self._runs("ingest", under_way)

    def _runs(self, flow: str, only: dict[str, Any]) -> list[dict[str, Any]]:
        body = {"flows": {"name": {"any_": [flow]}}, "flow_runs": only}
        found = self._prefect.post("/flow_runs/filter", json=body).raise_for_status()
        return list(found.json())

    def _is_delivered(self, name: str) -> bool:
        with Ledger.open(self._home / "state" / "ledger.db") as ledger:
            return bool(queries.rows(ledger, name=name, phase=Phase.DELIVERED))

    @staticmethod
    def _since(clip: Clip, moment: datetime | None) -> float:
        assert moment is not None
        return (moment - clip.found_at).total_seconds()


def measure(pairs: int) -> tuple[list[list[float]], list[list[float]]]:
    staying, called = [], []
    with Sandbox() as world, tempfile.TemporaryDirectory() as folder:
        home, port = cleared(Path(folder)), free_port()
        with sandbox_up(world.describe(), home, port, watching=WATCHING) as up:
            studio = Studio(home, port, up)
            studio.deliver(1)
            for number in range(2, 2 * pairs + 1, 2):
                studio.wait(studio.is_staying)
                staying.append(studio.deliver(number))
                studio.wait(studio.is_staying)
                studio.end_ingest()
                called.append(studio.deliver(number + 1))
    return staying, called


def medians(found: Sequence[Sequence[float]]) -> list[float]:
    return [statistics.median(each) for each in zip(*found, strict=True)]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    staying, called = measure(given.pairs)
    columns = ("seconds until", "run that stays", "run that is called", "ratio of pairs")
    table = Table(*columns, title="From whole to delivered, medians", box=None)
    ratios = [
        [late / early for early, late in zip(*pair, strict=True)]
        for pair in zip(staying, called, strict=True)
    ]
    rows = zip(MOMENTS, medians(staying), medians(called), medians(ratios), strict=True)
    for moment, early, late, ratio in rows:
        table.add_row(moment, f"{early:.2f}", f"{late:.2f}", f"{ratio:.1f}")
    Console().print(table)
    return int(given.check and medians(staying)[0] > GOAL)


if __name__ == "__main__":
    sys.exit(main())
