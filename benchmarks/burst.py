"""Many small clips at once, through `postflow up` and the sandbox, under Frame.io's real rates.

    python -m benchmarks.burst [--clips 100] [--again 100] [--versions 1] [--many 0]
                               [--plain] [--stacked] [--check]

New shots, whose folders have to be made; new versions of them, whose folders are known,
`--versions` of each; with `--many` as many more new shots. Between two waves a minute passes, until
Frame.io's rates are free again. A wave ends when its last clip is told of as delivered; with
`--stacked` it is said when the last version had its place, and a new stack takes six seconds for
each beyond ten. `--plain` has a script on the official SDK send as many clips before, one at a time
and by eight threads; its environment needs the registry once.

One clip comes before all others, and is not counted: with it a run of `ingest` starts, and stays.
Polls are all questions whether a file is whole. The floor is the time that Frame.io's rates ask
for the calls that were made. `--check` ends with 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import runpy
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from postflow.cli.demo import cleared, sandbox_up, wait_for
from postflow.frameio import endpoints
from postflow.ledger import Ledger, Phase, queries
from postflow.media import picture
from postflow.outlet.tunnel import free_port
from postflow.sandbox import Sandbox
from postflow.sandbox.clips import clip_path

WATCHING = {"quiet": 0.5, "interval": 0.5, "idle_timeout": 90.0, "at_once": 8}
FREE_ATOM = b"\0\0\0\x08free"
NOT_FRAMEIO = ("ims.", "discord.", "fetch", "edge", "agent", "parts.")
POLLS = ("files.status", "files.show")
STACKING = ("version_stacks.", "files.move")
RATES = {
    "folders.create": endpoints.CREATE_FOLDER,
    "folders.list": endpoints.FOLDERS,
    "folders.children": endpoints.CHILDREN,
    "folders.files": endpoints.FILES,
    "files.remote_upload": endpoints.REMOTE_UPLOAD,
    "files.show": endpoints.FILE,
    "files.status": endpoints.UPLOAD_STATUS,
}
# By a word of the command.
PARTS = {
    "postflow.service.prefect_server": "Prefect's server",
    "prefect.engine": "ingest",
    "postflow.sandbox.ngrok_agent": "ngrok's stand-in",
    "watch": "watcher",
    "serve": "runner",
    str(picture.SCRIPT): "pictures",
}
GOALS = {"new shots": 4.0, "new versions": 2.0}
GOAL_POLLS = 1.3
GOAL_PACE = 1.2
RATES_FREE = 61.0
LIMIT = 1800.0
SEQUENCES = 4

console = Console()


@dataclass(frozen=True)
class Wave:
    """What so many clips took; `calls` and `refused` (429) by operation, `cpu` by process."""

    title: str
    clips: int
    seconds: float
    calls: Counter[str]
    refused: Counter[str]
    cpu: Mapping[str, float] = field(default_factory=dict)

    @property
    def pace(self) -> float:
        return 60 * self.clips / self.seconds

    @property
    def polls(self) -> float:
        return sum(self.calls[op] for op in POLLS) / self.clips

    @property
    def stacking(self) -> float:
        """Calls that only stacks make; the looks that they need are among the others."""
        return sum(n for op, n in self.calls.items() if op.startswith(STACKING)) / self.clips

    @property
    def others(self) -> float:
        return self.calls.total() / self.clips - self.polls - self.stacking

    @property
    def floor(self) -> float:
        """Seconds that Frame.io's rates ask for these calls, however quick we are."""
        waits = (
            (self.calls[op] - rate.calls) * rate.window / rate.calls for op, rate in RATES.items()
        )
        return max(0.0, *waits)


serial = itertools.count(1)


def drop(folder: Path, names: list[str]) -> None:
    """Clips of different content, all of a sudden."""
    clip = clip_path().read_bytes()
    for name in names:
        (folder / f".{name}").write_bytes(clip + FREE_ATOM * next(serial))
    for name in names:
        (folder / f".{name}").replace(folder / name)


def told(ledger: Ledger) -> int:
    """How many clips are delivered in people's eyes."""
    return queries.counts(ledger)[Phase.DELIVERED]


def loose(world: Sandbox) -> int:
    """Clips that have other versions, and are on no stack."""
    shots = Counter(asset["path"].rpartition("/")[0] for asset in world.assets())
    alone = (a["stack"] is None and shots[a["path"].rpartition("/")[0]] for a in world.assets())
    return sum(versions > 1 for versions in alone)


def is_told(ledger: Ledger, goal: int) -> bool:
    return told(ledger) == goal


def cpu_of(up: psutil.Popen) -> Mapping[str, float]:
    """Seconds of CPU so far: of each part of `up`, and of the sandbox, which is in this process.

    Processes that have ended are in their parent's: pictures in those of the run that had them
    made, and that run in the runner's.
    """
    spent = defaultdict(float, sandbox=time.process_time())
    for process in [up, *up.children(recursive=True)]:
        try:
            command, times = process.cmdline(), process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        part = next((name for word, name in PARTS.items() if word in command), "up")
        spent[part] += times.user + times.system
        ended = {"ingest": "pictures", "runner": "ingest"}.get(part, part)
        spent[ended] += times.children_user + times.children_system
    return spent


class Observed:
    """What was asked of Frame.io in the block."""

    def __init__(self, world: Sandbox) -> None:
        self._world = world
        self._before = self._entries()
        self._began = time.monotonic()

    def wave(
        self, title: str, clips: int, seconds: float | None = None, *, cpu: Mapping[str, float]
    ) -> Wave:
        took = seconds or time.monotonic() - self._began
        asked, refused = (
            now - then for now, then in zip(self._entries(), self._before, strict=True)
        )
        return Wave(title, clips, took, asked, refused, cpu)

    def _entries(self) -> tuple[Counter[str], Counter[str]]:
        entries = [
            (str(each["op"]), each.get("status"))
            for each in self._world.requests()
            if each.get("op") and not str(each["op"]).startswith(NOT_FRAMEIO)
        ]
        return Counter(op for op, _ in entries), Counter(op for op, code in entries if code == 429)


def names_of(numbers: range, version: int) -> list[str]:
    return [f"SQ{7 + n % SEQUENCES:02}_UNDLM_{n:05}_v{version:03}.mov" for n in numbers]


@dataclass
class Studio:
    """`up` in the sandbox."""

    world: Sandbox
    home: Path
    up: psutil.Popen
    ledger: Ledger

    def wave(self, title: str, names: list[str]) -> Wave:
        observed, there, before = Observed(self.world), told(self.ledger), cpu_of(self.up)
        drop(self.home / "watch", names)
        goal = there + len(names)
        wait_for(partial(is_told, self.ledger, goal), self.up, self.home, limit=LIMIT)
        spent = {part: now - before.get(part, 0.0) for part, now in cpu_of(self.up).items()}
        return observed.wave(title, len(names), cpu=spent)

    def wait_for_stacks(self) -> None:
        began = time.monotonic()
        wait_for(lambda: not loose(self.world), self.up, self.home, limit=LIMIT)
        console.print(f"last stack {time.monotonic() - began:.1f} s after the last message")


@contextmanager
def running(world: Sandbox) -> Iterator[Studio]:
    with tempfile.TemporaryDirectory() as folder:
        home = cleared(Path(folder))
        with (
            sandbox_up(world.describe(), home, free_port(), watching=WATCHING) as up,
            Ledger.open(home / "state" / "ledger.db") as ledger,
        ):
            yield Studio(world, home, up, ledger)


def plain(world: Sandbox, clips: int, threads: int) -> Wave:
    """The same new shots by a script on the official SDK, in a folder of its own."""
    title = f"SDK, {threads} thread{'s' * (threads > 1)}"
    order = {
        "world": world.describe(),
        "clip": str(clip_path()),
        "clips": clips,
        "threads": threads,
        "sequence": title,
    }
    python = runpy.run_path("conformance/run.py")["environment"]()
    observed = Observed(world)
    done = subprocess.run(
        [str(python), "conformance/plain.py"],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=True,
    )
    came = json.loads(done.stdout)
    if came["failed"]:
        title += f" ({came['failed']} failed)"
    return observed.wave(title, clips, came["seconds"], cpu={"script": came["cpu"]})


def measure(given: argparse.Namespace) -> Iterator[Wave]:
    with Sandbox() as world:
        if given.plain:
            for threads in (1, 8):
                yield plain(world, given.clips, threads)
                time.sleep(RATES_FREE)
        with running(world) as studio:
            studio.wave("a start", names_of(range(99_999, 100_000), 1))
            first = range(1, given.clips + 1)
            yield studio.wave("new shots", names_of(first, 1))
            if given.again:
                time.sleep(RATES_FREE)
                numbers = range(2, 2 + given.versions)
                again = [name for n in numbers for name in names_of(first, n)[: given.again]]
                yield studio.wave("new versions", again)
            if given.stacked:
                studio.wait_for_stacks()
            if given.many:
                time.sleep(RATES_FREE)
                more = range(given.clips + 1, given.clips + given.many + 1)
                yield studio.wave("new shots", names_of(more, 1))


def tell(wave: Wave) -> None:
    """At once, since the next wave may take long."""
    console.print(f"{wave.clips} {wave.title}: {_counts(wave.calls)}", markup=False)
    if wave.refused:
        console.print(f"    429: {_counts(wave.refused)}", markup=False)
    spent = ", ".join(f"{part} {s / wave.clips:.2f}" for part, s in sorted(wave.cpu.items()))
    in_all = f"{sum(wave.cpu.values()) / wave.clips:.2f}"
    console.print(f"    {wave.pace:.0f} clips a minute; seconds of CPU a clip: {in_all} ({spent})")
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    console.print(f"    load {load} on {os.cpu_count()} cores", markup=False)


def report(waves: list[Wave]) -> None:
    columns = ("clips", "seconds", "clips/min", "calls", "+ stack", "+ polls", "429", "/ floor")
    table = Table(*columns, title="Burst", caption="calls, stack, polls: a clip", box=None)
    for wave in waves:
        floor = f"{wave.seconds / wave.floor:.2f}" if wave.floor else "-"
        figures = (f"{each:.2f}" for each in (wave.others, wave.stacking, wave.polls))
        table.add_row(
            f"{wave.clips} {wave.title}",
            f"{wave.seconds:.1f}",
            f"{wave.pace:.0f}",
            *figures,
            f"{wave.refused.total()}",
            floor,
        )
    console.print(table)
    if slower := how_much_slower(waves):
        console.print(f"new shots' pace / new versions': {slower:.2f}")


def _counts(calls: Counter[str]) -> str:
    return ", ".join(f"{op} {count}" for op, count in calls.most_common())


def missed(waves: list[Wave]) -> list[str]:
    ours = [wave for wave in waves if wave.title in GOALS]
    found = [f"{w.title}: {w.others:.2f} calls" for w in ours if w.others > GOALS[w.title]]
    found += [f"{w.title}: {w.polls:.2f} polls" for w in ours if w.polls > GOAL_POLLS]
    if (slower := how_much_slower(waves)) and slower > GOAL_PACE:
        found.append(f"new versions are {slower:.2f} times slower than new shots")
    return found


def how_much_slower(waves: list[Wave]) -> float | None:
    """Than the first new shots: what new versions take to be told of."""
    paces = {wave.title: wave.pace for wave in reversed(waves)}
    return paces["new shots"] / paces["new versions"] if "new versions" in paces else None


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--again", type=int, default=100)
    parser.add_argument("--versions", type=int, default=1)
    parser.add_argument("--many", type=int, default=0)
    for option in ("--plain", "--stacked", "--check"):
        parser.add_argument(option, action="store_true")
    given = parser.parse_args()
    waves = []
    for wave in measure(given):
        tell(wave)
        waves.append(wave)
    report(waves)
    for each in missed(waves):
        console.print(f"missed: {each}", markup=False)
    return int(given.check and bool(missed(waves)))


if __name__ == "__main__":
    sys.exit(main())
