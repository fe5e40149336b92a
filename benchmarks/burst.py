"""A hundred small clips at once, through `postflow up` and the sandbox.

    python benchmarks/burst.py [--clips 100] [--again 8] [--check]

First so many clips of as many shots, whose folders have to be made; then new versions of some,
whose folders are known. API calls are Frame.io's alone. `--check` ends with 1 when a clip whose
folder is known takes more than 3 calls, its polls and its stack left out.
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
from postflow.outlet.tunnel import free_port
from postflow.sandbox import Sandbox
from postflow.sandbox.clips import clip_path

WATCHING = {"quiet": 0.5, "interval": 0.5, "idle_timeout": 5.0, "at_once": 8}
FREE_ATOM = b"\0\0\0\x08free"
NOT_FRAMEIO = ("ims.", "discord.", "fetch", "edge", "agent", "parts.")
POLL = "files.status"
LOOK = "folders.children"
STACKING = ("version_stacks.", "files.move")
GOAL_CALLS = 3.0
LIMIT = 900.0


@dataclass(frozen=True)
class Wave:
    """What so many clips took; `calls` by operation."""

    title: str
    clips: int
    seconds: float
    calls: Counter[str]

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


def whole(world: Sandbox) -> int:
    return sum(asset["status"] == "transcoded" for asset in world.assets())


def is_whole(world: Sandbox, goal: int) -> bool:
    return whole(world) == goal


def calls(world: Sandbox) -> Counter[str]:
    ops = (str(each.get("op") or "") for each in world.requests())
    return Counter(op for op in ops if op and not op.startswith(NOT_FRAMEIO))


def measure(clips: int, again: int) -> list[Wave]:
    waves = []
    with Sandbox() as world, tempfile.TemporaryDirectory() as folder:
        home = cleared(Path(folder))
        with sandbox_up(world.describe(), home, free_port(), watching=WATCHING) as up:
            for title, version, count in (("new shots", 1, clips), ("new versions", 2, again)):
                before, there, began = calls(world), whole(world), time.monotonic()
                names = [f"SQ07_UNDLM_{n:05}_v{version:03}.mov" for n in range(1, count + 1)]
                drop(home / "watch", names)
                goal = there + count
                wait_for(partial(is_whole, world, goal), up, home, limit=LIMIT)
                seconds = time.monotonic() - began
                waves.append(Wave(title, count, seconds, calls(world) - before))
    return waves


def report(waves: list[Wave]) -> None:
    table = Table(
        "clips",
        "seconds",
        "clips/min",
        "calls a clip",
        "+ stack",
        "+ polls",
        title="Burst",
        box=None,
    )
    for wave in waves:
        table.add_row(
            f"{wave.clips} {wave.title}",
            f"{wave.seconds:.1f}",
            f"{60 * wave.clips / wave.seconds:.0f}",
            f"{wave.others:.1f}",
            f"{wave.stacking:.1f}",
            f"{wave.polls:.1f}",
        )
    console = Console()
    console.print(table)
    for wave in waves:
        told = ", ".join(f"{op} {count}" for op, count in wave.calls.most_common())
        console.print(f"{wave.title}: {told}", markup=False)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--again", type=int, default=8)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    waves = measure(given.clips, given.again)
    report(waves)
    return int(given.check and waves[-1].others > GOAL_CALLS)


if __name__ == "__main__":
    sys.exit(main())
