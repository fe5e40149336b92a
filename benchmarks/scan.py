"""What watching costs while nothing happens: incremental scans against full ones.

    python benchmarks/scan.py [--files 10000 100000] [--rounds 7] [--folder PATH] [--check]

Trees of 100 files a directory, dentry cache warm. The ratio of the two kinds of scan says most:
milliseconds depend on the machine. `--check` ends with 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
import time
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from postflow.folder.root import marking
from postflow.folder.scanner import Scanner
from postflow.media.sighting import Scanned
from postflow.media.volume import FileSystem

IN_FOLDER = 100
FOLDERS_IN_SHOW = 10
SETTLING = 100
MIB = 1 << 20
GOAL_RATIO = 0.1
GOAL_INCREMENTAL_MS = 50.0
GOAL_INDEX_MIB = 40.0


@dataclass(frozen=True)
class Cost:
    """Medians in milliseconds of CPU-bound work, the index in MiB."""

    files: int
    full: float
    incremental: float
    settling: float
    index: float

    @property
    def ratio(self) -> float:
        return self.incremental / self.full

    def meets_the_goals(self) -> bool:
        small = self.incremental <= GOAL_INCREMENTAL_MS and self.index <= GOAL_INDEX_MIB
        return small and self.ratio <= GOAL_RATIO


class Clock:
    """Steps on with each scan, so that directories are believed without waiting."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def a_local_disk(path: Path) -> FileSystem:
    return FileSystem(kind="local", type="any")


def fill(root: Path, files: int) -> None:
    for index in range(files):
        folder = index // IN_FOLDER
        path = root / f"SHOW{folder // FOLDERS_IN_SHOW:03}" / f"SQ{folder:04}"
        if index % IN_FOLDER == 0:
            path.mkdir(parents=True)
        (path / f"shot_{index:06}_v001.mov").write_bytes(b"x")


def scan(scanner: Scanner, clock: Clock, *, full: bool) -> float:
    """Milliseconds of one scan, which has to be of the wanted kind."""
    clock.now += 5
    began = time.perf_counter()
    result = scanner.scan(full=full)
    took = (time.perf_counter() - began) * 1000
    if not isinstance(result, Scanned) or result.full != full:
        raise SystemExit(f"The scan went wrong: {result!r:.200}")
    return took


def index_size(root: Path) -> float:
    """MiB that a scanner keeps after its first scan, its files at rest."""
    tracemalloc.start()
    scanner = Scanner(root, clock=Clock(), file_system=a_local_disk)
    scanner.scan()
    scanner.settle([sighting.relpath for sighting in scanner.everything()])
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / MIB


def measure(root: Path, files: int, rounds: int) -> Cost:
    with marking(root):
        pass
    fill(root, files)
    clock, index = Clock(), index_size(root)
    scanner = Scanner(root, clock=clock, file_system=a_local_disk)
    scan(scanner, clock, full=True)
    everything = [sighting.relpath for sighting in scanner.everything()]
    scanner.settle(everything)
    scan(scanner, clock, full=False)
    full = [scan(scanner, clock, full=True) for _ in range(rounds)]
    scan(scanner, clock, full=False)
    idle = [scan(scanner, clock, full=False) for _ in range(rounds * 3)]
    scanner.unsettle(everything[:SETTLING])
    settling = [scan(scanner, clock, full=False) for _ in range(rounds * 3)]
    full_ms, idle_ms, settling_ms = map(statistics.median, (full, idle, settling))
    return Cost(files, full_ms, idle_ms, settling_ms, index)


def report(costs: list[Cost]) -> None:
    titles = ("files", "full ms", "incremental ms", "ratio", f"{SETTLING} settling ms", "index MiB")
    table = Table(*titles, title="A scan of a tree in which nothing changed (medians)")
    for cost in costs:
        table.add_row(
            f"{cost.files:,}",
            f"{cost.full:.1f}",
            f"{cost.incremental:.2f}",
            f"1 : {1 / cost.ratio:.0f}",
            f"{cost.settling:.2f}",
            f"{cost.index:.1f}",
        )
    Console().print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where to make the trees")
    parser.add_argument("--check", action="store_true", help="fail when a goal is missed")
    options = parser.parse_args()
    costs = []
    for files in options.files:
        with tempfile.TemporaryDirectory(dir=options.folder) as root:
            costs.append(measure(Path(root), files, options.rounds))
    report(costs)
    return int(options.check and not all(cost.meets_the_goals() for cost in costs))


if __name__ == "__main__":
    sys.exit(main())
