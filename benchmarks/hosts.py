"""One, two and three hosts, with an uplink of their own each, and what becomes of clips when one is
lost. Needs root: the hosts are network namespaces.

    python -m benchmarks.hosts [--hosts 3] [--clips 12] [--small 12] [--faults killed,cut]

Uplink-bound clips, by ratio: seconds from the drop to the last delivery, runs warm. Small clips:
Frame.io's calls a clip, without polls. Faults: what was lost, doubled, told twice, withdrawn, and
how long it took until somebody took over. `--check` ends with 1 where two hosts are not 1.8
times, three not 2.5 times as fast as one, shares differ by a fifth, small clips take more calls
with more hosts, or a fault cost a clip.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks._lab import Lab, a_lab, wait_for
from postflow.ledger import Ledger, Phase, hosts, queries
from postflow.ledger.leases import RUN_DIED
from postflow.ledger.models import Step
from postflow.sandbox.clips import clip_path

NOT_FRAMEIO = ("ims.", "discord.", "fetch", "edge", "agent", "parts.")
POLL = "files.status"
GOALS = {2: 1.8, 3: 2.5}
UNEVEN = 0.2
# Calls a clip that are no more than chance.
MEASURED = 0.1
LIMIT = 1800.0
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
console = Console()


def drop(lab: Lab, count: int, *, size: int, sequence: str) -> set[str]:
    """Clips of that size, each of a shot of its own, whole from the first moment on."""
    names = set()
    for number in range(1, count + 1):
        name = f"{sequence}_UNDLM_{number:05}_v001.mov"
        free = number.to_bytes(8, "big") + bytes(max(0, size - 16))
        box = (len(free) + 8).to_bytes(4, "big") + b"free" + free
        hidden = lab.volume / f".{name}"
        hidden.write_bytes(clip_path().read_bytes() + box)
        hidden.replace(lab.volume / name)
        names.add(name)
    return names


def delivered(lab: Lab, names: set[str]) -> int:
    with Ledger.open(lab.ledger_url) as ledger:
        rows = queries.rows(ledger, phase=Phase.DELIVERED)
    return len({each.name for each in rows} & names)


def are_delivered(lab: Lab, names: set[str]) -> bool:
    return delivered(lab, names) == len(names)


def living(lab: Lab) -> dict[str, hosts.Host]:
    with Ledger.open(lab.ledger_url) as ledger:
        known = hosts.known(ledger, "main")
    return {f"{each.name} {each.part}": each for each in known if each.lives}


def is_up(lab: Lab, name: str) -> bool:
    return f"{name} watch" in living(lab)


def start(lab: Lab, many: int) -> None:
    """One more; then clips by which each has a run, which stays."""
    host = lab.hosts[many - 1]
    host.up()
    wait_for(partial(is_up, lab, host.name), host.name)
    warm(lab, many, f"SQ1{many}")


def warm(lab: Lab, many: int, sequence: str) -> None:
    clips = drop(lab, 2 * many, size=0, sequence=sequence)
    wait_for(partial(are_delivered, lab, clips), "the first clips")


@dataclass(frozen=True)
class Way:
    """How so many clips went over so many hosts."""

    hosts: int
    clips: int
    is_small: bool
    seconds: float
    asked: Counter[str]
    refused: Counter[str]
    shares: dict[str, int]

    @property
    def calls(self) -> float:
        """A clip, without polls."""
        return (self.asked.total() - self.asked[POLL]) / self.clips

    @property
    def is_fair(self) -> bool:
        fair = sum(self.shares.values()) / self.hosts
        return all(abs(part / fair - 1) <= UNEVEN for part in self.shares.values())


def carry(lab: Lab, many: int, clips: int, *, size: int, sequence: str) -> Way:
    before = len(lab.world.requests())
    sent = {host.name: host.cable.sent for host in lab.hosts}
    names = drop(lab, clips, size=size, sequence=sequence)
    seconds = wait_for(partial(are_delivered, lab, names), "the clips", limit=LIMIT)
    asked = lab.world.requests()[before:]
    of_frameio = [e for e in asked if e.get("op") and not str(e["op"]).startswith(NOT_FRAMEIO)]
    ours = Counter(str(each["op"]) for each in of_frameio)
    refused = Counter(str(each["op"]) for each in of_frameio if each.get("status") == 429)
    shares = {each.name: each.cable.sent - sent[each.name] for each in lab.hosts[:many]}
    return Way(many, clips, not size, seconds, ours, refused, shares)


def scale(most: int, clips: int, small: int, *, size: int, rate: float) -> list[Way]:
    found = []
    with a_lab(most, rate) as lab:
        for many in range(1, most + 1):
            start(lab, many)
            found.append(carry(lab, many, clips, size=size, sequence=f"SQ2{many}"))
            if small:
                found.append(carry(lab, many, small, size=0, sequence=f"SQ3{many}"))
            report(found)
    return found


def report(ways: list[Way]) -> bool:
    """Is a goal missed?"""
    table = Table("hosts", "clips", "seconds", "times", "calls a clip", "polls", "429", "shares")
    first: dict[bool, Way] = {}
    missed = False
    for way in ways:
        alone = first.setdefault(way.is_small, way)
        ratio = alone.seconds / way.seconds
        if way.is_small:
            missed |= way.calls > alone.calls + MEASURED
        else:
            missed |= ratio < GOALS.get(way.hosts, 0.0) or not way.is_fair
        table.add_row(str(way.hosts), *_cells(way, ratio))
    console.print(table)
    return missed


def _cells(way: Way, ratio: float) -> Iterator[str]:
    yield f"{way.clips} small" if way.is_small else str(way.clips)
    yield from (f"{way.seconds:.0f}", f"{ratio:.2f}")
    each = (f"{op} {n / way.clips:.2f}" for op, n in sorted(way.asked.items()) if op != POLL)
    yield "\n".join((f"{way.calls:.2f}", *each))
    yield f"{way.asked[POLL] / way.clips:.1f}"
    yield "\n".join((str(way.refused.total()), *(f"{op} {n}" for op, n in way.refused.items())))
    total = sum(way.shares.values()) or 1
    yield " ".join(f"{name} {100 * part / total:.0f}%" for name, part in way.shares.items())


Fault = Callable[[Lab, set[str]], None]


def killed(lab: Lab, names: set[str]) -> None:
    lab.hosts[0].kill()
    wait_for(partial(are_delivered, lab, names), "the clips", limit=LIMIT)
    lab.hosts[0].up()
    wait_for(partial(is_up, lab, "h1"), "the host that was killed")


def cut(lab: Lab, names: set[str]) -> None:
    lab.relay.cut(lab.hosts[0].cable)
    time.sleep(200)
    lab.relay.cut(lab.hosts[0].cable, mended=True)
    wait_for(partial(are_delivered, lab, names), "the clips", limit=LIMIT)
    time.sleep(20)


def no_postgres(lab: Lab, names: set[str]) -> None:
    lab.stop_postgres()
    time.sleep(60)
    lab.start_postgres()
    wait_for(partial(are_delivered, lab, names), "the clips", limit=LIMIT)


def no_prefect(lab: Lab, names: set[str]) -> None:
    lab.stop_prefect()
    time.sleep(120)
    lab.start_prefect()
    wait_for(partial(are_delivered, lab, names), "the clips", limit=LIMIT)


def nothing(lab: Lab, names: set[str]) -> None:
    wait_for(partial(are_delivered, lab, names), "the clips", limit=LIMIT)


FAULTS: dict[str, Fault] = {
    "killed": killed,
    "cut": cut,
    "postgres": no_postgres,
    "prefect": no_prefect,
    "clocks": nothing,
    "volume": nothing,
}
SPECIAL = {"clocks", "volume"}


def are_full(lab: Lab, names: list[str]) -> bool:
    runs = [living(lab).get(f"{name} ingest") for name in names]
    return all(run is not None and run.travelling >= run.at_once for run in runs)


@dataclass(frozen=True)
class Loss:
    """What a fault cost. `took_over`: seconds from the fault until all was taken up again."""

    fault: str
    seconds: float
    took_over: float | None
    lost: int
    doubled: int
    told_twice: int
    deleted: int
    fetched: float

    @property
    def is_bad(self) -> bool:
        return bool(self.lost or self.doubled or self.told_twice)


def suffer(faults: list[str], *, clips: int, size: int, rate: float) -> Iterator[Loss]:
    """One after the other in one lab; what needs another second host comes last."""
    ahead = {"LD_PRELOAD": FAKETIME, "FAKETIME": "+120s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    with a_lab(2, rate) as lab:
        first, second = lab.hosts
        first.up()
        wait_for(partial(is_up, lab, first.name), first.name)
        started = None
        for number, name in enumerate(sorted(faults, key=tuple(FAULTS).index)):
            special = name if name in SPECIAL else "plain"
            if started != special:
                second.kill()
                wait_for(lambda: not is_up(lab, "h2"), "the end of h2")
                second.up(mounted=name != "volume", **(ahead if name == "clocks" else {}))
                started = special
            for host in lab.hosts:
                wait_for(partial(is_up, lab, host.name), host.name)
            at_work = ["h1"] if name == "volume" else ["h1", "h2"]
            warm(lab, len(at_work), f"SQ1{number}")
            before, sent = len(lab.world.requests()), sum(each.cable.sent for each in lab.hosts)
            names = drop(lab, clips, size=size, sequence=f"SQ2{number}")
            wait_for(partial(are_full, lab, at_work), "hosts that have all they can")
            time.sleep(5)
            began, at = time.monotonic(), time.time()
            FAULTS[name](lab, names)
            seconds = time.monotonic() - began
            sent = sum(each.cable.sent for each in lab.hosts) - sent
            yield _loss(lab, name, names, seconds, at, lab.world.requests()[before:], sent)


def _taken_over(steps: list[Step]) -> float | None:
    """When a clip whose run had died was claimed again."""
    died = next((number for number, each in enumerate(steps) if each.event == RUN_DIED), len(steps))
    after = (each.at.timestamp() for each in steps[died:] if each.event == "claimed")
    return next(after, None)


def _loss(
    lab: Lab,
    name: str,
    names: set[str],
    seconds: float,
    at: float,
    asked: list[dict[str, Any]],
    sent: int,
) -> Loss:
    with Ledger.open(lab.ledger_url) as ledger:
        rows = [each for each in queries.rows(ledger) if each.name in names]
        found = [_taken_over(queries.steps(ledger, each.id)) for each in rows]
    taken_over = [each for each in found if each is not None]
    assets = Counter(each["name"] for each in lab.world.assets() if each["name"] in names)
    titles = Counter(
        str(each["embeds"][0]["title"]) for each in lab.world.messages() if each.get("embeds")
    )
    sequence = min(names)[:4]
    ready = [title for title in titles.elements() if "ready" in title and sequence in title]
    return Loss(
        fault=name,
        seconds=seconds,
        took_over=max(taken_over) - at if taken_over else None,
        lost=len(names) - len(assets),
        doubled=sum(assets.values()) - len(assets),
        told_twice=len(ready) - len(set(ready)),
        deleted=sum(each.get("op") == "files.delete" and each["status"] < 300 for each in asked),
        fetched=sent / sum(each.size for each in rows),
    )


def tell(losses: list[Loss]) -> None:
    table = Table(
        *("fault", "seconds", "taken over after", "lost", "doubled", "told twice"),
        *("withdrawn", "bytes sent a byte"),
    )
    for each in losses:
        over = "-" if each.took_over is None else f"{each.took_over:.0f} s"
        counts = (each.lost, each.doubled, each.told_twice, each.deleted)
        table.add_row(
            each.fault, f"{each.seconds:.0f}", over, *map(str, counts), f"{each.fetched:.2f}"
        )
    console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hosts", type=int, default=3, help="0: no scaling, faults only")
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--small", type=int, default=12)
    parser.add_argument("--size", type=float, default=4.0, help="MB of a clip")
    parser.add_argument("--rate", type=float, default=250.0, help="kB/s of a host's uplink")
    parser.add_argument("--faults", default=",".join(FAULTS), help="or none")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    if os.geteuid() or not shutil.which("ip") or not shutil.which("unshare"):
        console.print("left out: it needs root, ip and unshare")
        return 0
    size, rate, missed = int(given.size * 1e6), given.rate * 1e3, False
    if given.hosts:
        ways = scale(given.hosts, given.clips, given.small, size=size, rate=rate)
        missed = report(ways)
    faults = [each for each in given.faults.replace("none", "").split(",") if each]
    if "clocks" in faults and not Path(FAKETIME).exists():
        console.print("clocks: left out, libfaketime is not installed")
        faults.remove("clocks")
    losses: list[Loss] = []
    for loss in suffer(faults, clips=given.clips, size=size, rate=rate) if faults else ():
        losses.append(loss)
        tell(losses)
    return int(given.check and (missed or any(each.is_bad for each in losses)))


if __name__ == "__main__":
    sys.exit(main())
