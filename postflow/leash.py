"""Runs a module as `python -m` does, but no longer than the process that started it.

    python -m postflow.leash [--last] FAMILY MODULE [ARGUMENT…]

The parent holds the writing end of the pipe that is our stdin, and never writes: however it ends,
by `kill -9` too, the kernel closes that end. FAMILY is there to be found in the process list, by
which the one with --last ends after the others.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

import psutil

NAME = "postflow.leash"
LAST = "--last"
# What the parent would wait for a child before it kills it.
GRACE = 45.0
SHORT = 0.1


def main() -> None:
    last = sys.argv[1] == LAST
    family, module, *arguments = sys.argv[2 if last else 1 :]
    given = (_take_stdin(), family if last else None)
    threading.Thread(target=_end_with_parent, args=given, name="leash", daemon=True).start()
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def kin(family: str) -> list[psutil.Process]:
    """The other processes that run on a leash of this name."""
    return [each for each in psutil.process_iter() if _belongs(each, family)]


def _belongs(process: psutil.Process, family: str) -> bool:
    try:
        command = process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    return NAME in command and family in command and process.pid != os.getpid()


def _take_stdin() -> int:
    """The pipe; whoever reads stdin from now on finds it empty."""
    pipe = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return pipe


def _end_with_parent(pipe: int, after: str | None) -> None:
    """As on SIGTERM; all of our process group is killed if that takes too long.

    Before that, the family `after` may end.
    """
    while os.read(pipe, 1):
        pass
    deadline = time.monotonic() + GRACE
    while after and kin(after) and time.monotonic() < deadline:
        time.sleep(SHORT)
    main_thread = threading.main_thread().ident
    if main_thread is not None:
        signal.pthread_kill(main_thread, signal.SIGTERM)
    time.sleep(GRACE)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
