"""Runs a module as `python -m` does, but no longer than the process that started it.

    … -m postflow.service.leash [--last] [--log=PATH] [--first=MODULE] FAMILY MODULE [ARGUMENT…]

The parent holds the writing end of the pipe that is our stdin, and never writes: however it ends,
by `kill -9` too, the kernel closes that end. FAMILY is there to be found in the process list, by
which the one with --last ends after the others; what we start finds it in its environment.
PATH is the file that stdout is: should somebody remove or rename it, it is made anew.
The --first is imported before: Prefect looks for a run's flow in the working directory first.
"""

from __future__ import annotations

import importlib
import itertools
import os
import runpy
import signal
import stat
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil

NAME = "postflow.service.leash"
# Never from the working directory, where somebody may keep a `tasks.py` of their own.
PYTHON = (sys.executable, "-P", "-m")
LAST = "--last"
LOG = "--log="
FIRST = "--first="
FAMILY = "POSTFLOW_FAMILY"
# What the parent would wait for a child before it kills it.
GRACE = 45.0
SHORT = 0.1
# Seconds between two looks for the log.
LOOK = 1.0


def main() -> None:
    options = list(itertools.takewhile(lambda each: each.startswith("--"), sys.argv[1:]))
    family, module, *arguments = sys.argv[1 + len(options) :]
    os.environ[FAMILY] = family
    given = (_take_stdin(), family if LAST in options else None)
    threading.Thread(target=_end_with_parent, args=given, name="leash", daemon=True).start()
    for log in _given(LOG, options):
        threading.Thread(target=_keep_log, args=(Path(log),), name="log", daemon=True).start()
    for first in _given(FIRST, options):
        importlib.import_module(first)
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _given(option: str, options: list[str]) -> list[str]:
    return [each.removeprefix(option) for each in options if each.startswith(option)]


def command(module: str, *options: str) -> list[str]:
    """Runs a module in our family; where we have none, in one that nobody asks for."""
    return [*PYTHON, NAME, *options, os.environ.get(FAMILY, "none"), module]


def kin(family: str) -> list[psutil.Process]:
    """The other processes that run on a leash of this name."""
    return [each for each in psutil.process_iter() if _belongs(each, family)]


def _belongs(process: psutil.Process, family: str) -> bool:
    try:
        line = process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    return NAME in line and family in line and process.pid != os.getpid()


def _take_stdin() -> int:
    """The pipe; whoever reads stdin from now on finds it empty."""
    pipe = os.dup(0)
    _to_nothing(0)
    return pipe


def _to_nothing(stream: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, stream)
    os.close(nothing)


def _end_with_parent(pipe: int, after: str | None) -> None:
    """As on SIGTERM; we are killed, with the group that we lead, if that takes too long.

    Before that, the family `after` may end.
    """
    while os.read(pipe, 1):
        pass
    _mute()
    deadline = time.monotonic() + GRACE
    while after and kin(after) and time.monotonic() < deadline:
        time.sleep(SHORT)
    main_thread = threading.main_thread().ident
    if main_thread is not None:
        signal.pthread_kill(main_thread, signal.SIGTERM)
    time.sleep(GRACE)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _keep_log(path: Path) -> None:
    while True:
        time.sleep(LOOK)
        with suppress(OSError):  # tried again at the next look
            if not _is_stdout(path):
                log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                for stream in (1, 2):
                    os.dup2(log, stream)
                os.close(log)


def _is_stdout(path: Path) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except FileNotFoundError:
        return False


def _mute() -> None:
    """Print no more to a parent: rich, by which Prefect logs, exits where nobody reads."""
    for stream in (1, 2):
        if stat.S_ISFIFO(os.fstat(stream).st_mode):
            _to_nothing(stream)


if __name__ == "__main__":
    main()
