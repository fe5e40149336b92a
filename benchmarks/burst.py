"""A hundred small clips at once, through `postflow up` and the sandbox.

    python benchmarks/burst.py [--clips 100] [--again 100] [--stacked] [--check]

First so many clips of as many shots, whose folders have to be made; a minute later, when Frame.io's
rates are free again, new versions of some, whose folders are known. The time ends when the last
clip is told of as delivered; with `--stacked` it is said when the last stack was there, which takes
six seconds for each beyond ten. API calls are Frame.io's alone. `--check` ends with 1 when a clip
whose folder is known takes more than 3 calls, its polls and its stack left out, or when new
versions take more than 1.2 times as long as new shots.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from postflow.cli.demo import cleared, sandbox_up, wait_for
from postflow.ledger import Ledger, Phase, queries
from postflow.outlet.tunnel import free_port
from postflow.sandbox import Sandbox
from postflow.sandbox.clips import clip_path

WATCHING = {"quiet": 0.5, "interval": 0.5, "idle_timeout": 90.0, "at_once": 8}
FREE_ATOM = b"\0\0\0\x08free"
NOT_FRAMEIO = ("ims.", "discord.", "fetch", "edge", "agent", "parts.")
POLL = "files.status"
LOOK = "folders.children"
STACKING = ("version_stacks.", "files.move")
GOAL_CALLS = 3.0
GOAL_PACE = 1.2
RATES_FREE = 61.0
LIMIT = 900.0


@dataclass(frozen=True)
class Wave:
    """What so many clips took; `calls` by operation."""

    title: str
    clips: int
    seconds: float
    calls: Counter[str]
    stacks: int

    @property
    def pace(self) -> float:
        return 60 * self.clips / self.seconds

    @property
    def polls(self) -> float:
        return self.calls[POLL] / self.clips

    @property
    def stacking(self) -> float:
        """Calls that only new versions make. One look into the folder is every clip's."""
        looks = self.calls[LOOK] - self.clips
        ours = sum(n for op, n in self.calls.items() if op.startswith(STACKING))
        return (ours + max(0, looks)) / self.clips

    @property
    def others(self) -> float:
        return self.calls.total() / self.clips - self.polls - self.stacking


def drop(folder: Path, names: list[str]) -> None:
    clip = clip_path().read_bytes()
    for number, name in enumerate(names):
        hidden = folder / f".{name}"
        hidden.write_bytes(clip + FREE_ATOM * (number + 1))
        hidden.replace(folder / name)


def told(ledger: Ledger) -> int:
    """How many clips are delivered in people's eyes."""
    return queries.counts(ledger)[Phase.DELIVERED]


def stacked(world: Sandbox) -> int:
    return len({asset["stack"] for asset in world.assets()} - {None})


def is_told(ledger: Ledger, goal: int) -> bool:
    return told(ledger) == goal


def calls(world: Sandbox) -> Counter[str]:
    ops = (str(each.get("op") or "") for each in world.requests())
    return Counter(op for op in ops if op and not op.startswith(NOT_FRAMEIO))


def measure(clips: int, again: int, *, to_the_end: bool) -> list[Wave]:
    waves: list[Wave] = []
    with Sandbox() as world, tempfile.TemporaryDirectory() as folder:
        home = cleared(Path(folder))
        with (
            sandbox_up(world.describe(), home, free_port(), watching=WATCHING) as up,
            Ledger.open(home / "state" / "ledger.db") as ledger,
        ):
            for title, version, count in (("new shots", 1, clips), ("new versions", 2, again)):
                time.sleep(RATES_FREE if waves else 0)
                before, there, began = calls(world), told(ledger), time.monotonic()
                names = [f"SQ07_UNDLM_{n:05}_v{version:03}.mov" for n in range(1, count + 1)]
                drop(home / "watch", names)
                wait_for(partial(is_told, ledger, there + count), up, home, limit=LIMIT)
                seconds = time.monotonic() - began
                spent = calls(world) - before
                waves.append(Wave(title, count, seconds, spent, stacked(world)))
            if to_the_end:
                wait_for(lambda: stacked(world) == again, up, home, limit=LIMIT)
                Console().print(f"last stack after {time.monotonic() - began:.1f} s")
    return waves


def ratio(waves: list[Wave]) -> float:
    """How many times the pace of new versions is that of new shots."""
    return waves[0].pace / waves[-1].pace


def report(waves: list[Wave]) -> None:
    table = Table(
        "clips",
        "seconds",
        "clips/min",
        "calls a clip",
        "+ stack",
        "+ polls",
        "stacks then",
        title="Burst",
        box=None,
    )
    for wave in waves:
        table.add_row(
            f"{wave.clips} {wave.title}",
            f"{wave.seconds:.1f}",
            f"{wave.pace:.0f}",
            f"{wave.others:.1f}",
            f"{wave.stacking:.1f}",
            f"{wave.polls:.1f}",
            f"{wave.stacks}",
        )
    console = Console()
    console.print(table)
    console.print(f"new shots to new versions: {ratio(waves):.2f}")
    for wave in waves:
        told = ", ".join(f"{op} {count}" for op, count in wave.calls.most_common())
        console.print(f"{wave.title}: {told}", markup=False)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--again", type=int, default=100)
    parser.add_argument("--stacked", action="store_true")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    waves = measure(given.clips, given.again, to_the_end=given.stacked)
    report(waves)
    missed = waves[-1].others > GOAL_CALLS or ratio(waves) > GOAL_PACE
    return int(given.check and missed)


if __name__ == "__main__":
    sys.exit(main())
