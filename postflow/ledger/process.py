"""Which process this is, and whether another one of this machine still lives."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil

from postflow.models import FrozenModel
from postflow.state import this_host

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SYSCTL = "/usr/sbin/sysctl"


class ProcessMark(FrozenModel):
    """A process, told apart from a later one with the same number."""

    machine: str
    pid: int
    born: float


def this_process() -> ProcessMark:
    pid = os.getpid()
    return ProcessMark(machine=this_machine(), pid=pid, born=_born(pid))


def is_here(mark: ProcessMark) -> bool:
    """It ran, or runs, on this machine, where its process says whether it lives."""
    return _boot(mark.machine) == _boot(this_machine())


def is_dead_here(mark: ProcessMark) -> bool:
    """True only if it is certain: it ran on this machine, and does no more."""
    if not is_here(mark):
        return False
    try:
        status = psutil.Process(mark.pid).status()
        return status in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD) or _born(mark.pid) != mark.born
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def _born(pid: int) -> float:
    """When it started, in clock ticks since boot where there is /proc: no clock step moves that."""
    with suppress(OSError):
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
        return float(after_name.split()[19])
    return psutil.Process(pid).create_time()


@cache
def this_machine() -> str:
    """This boot of this machine, as far as process numbers mean the same."""
    parts = [this_host()]
    with suppress(OSError):
        parts.append(BOOT_ID.read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts if len(parts) > 1 else [*parts, _boot_session()]).rstrip()


def _boot_session() -> str:
    """What macOS has instead, where many a machine is called as another one: see sysctl(8)."""
    asking = [SYSCTL, "-n", "kern.bootsessionuuid"]
    with suppress(OSError):
        return subprocess.run(asking, capture_output=True, text=True, check=False).stdout.strip()
    return ""


def _boot(machine: str) -> str:
    """What tells it from others whatever it is called; its name where there is nothing else."""
    return machine.partition(" ")[2] or machine


def host_of(machine: str) -> str:
    """The machine's name, as people call it."""
    return machine.split()[0]
