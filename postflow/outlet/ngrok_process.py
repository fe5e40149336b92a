"""Ending agent processes: politely, in time, and never a stranger's."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time

import psutil

GRACE_SECONDS = 5.0


def end_child(child: subprocess.Popen[str], grace: float = GRACE_SECONDS) -> None:
    """SIGTERM, so that ngrok frees the session and the address at once; SIGKILL after `grace`."""
    if child.poll() is not None:
        return
    _signal_group(child.pid, signal.SIGTERM)
    try:
        child.wait(grace)
    except subprocess.TimeoutExpired:
        _signal_group(child.pid, signal.SIGKILL)
        child.wait()


def end_orphan(orphan: psutil.Process, grace: float = GRACE_SECONDS) -> None:
    """The same for a process that is not our child any more."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if has_ended(orphan):
            return
        _signal_group(orphan.pid, number)
        deadline = time.monotonic() + grace
        while not has_ended(orphan) and time.monotonic() < deadline:
            time.sleep(0.02)


def has_ended(process: psutil.Process) -> bool:
    """A zombie has ended too: where nobody collects it, it stays listed for ever."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _signal_group(pid: int, number: signal.Signals) -> None:
    """Reach the agent behind a wrapper too: we start each in a session of its own."""
    with contextlib.suppress(ProcessLookupError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
