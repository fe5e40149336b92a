"""Runs a module as `python -m` does, but no longer than the process that started it.

    python -m postflow.leash FAMILY MODULE [ARGUMENT…]

The parent holds the writing end of the pipe that is our stdin, and never writes: however it ends,
by `kill -9` too, the kernel closes that end. FAMILY is there to be found in the process list.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

# What the parent would wait for a child before it kills it.
GRACE = 45.0


def main() -> None:
    _, _family, module, *arguments = sys.argv
    end = threading.Thread(target=_end_with_parent, args=[_take_stdin()], name="leash", daemon=True)
    end.start()
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _take_stdin() -> int:
    """The pipe; whoever reads stdin from now on finds it empty."""
    pipe = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return pipe


def _end_with_parent(pipe: int) -> None:
    """As on SIGTERM; all of our process group is killed if that takes too long."""
    while os.read(pipe, 1):
        pass
    main_thread = threading.main_thread().ident
    if main_thread is not None:
        signal.pthread_kill(main_thread, signal.SIGTERM)
    time.sleep(GRACE)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
