"""No process of ours outlives the one that started it, however that one ended.

The parent holds the writing end of the pipe that is our stdin, and never writes to it, as Prefect's
runner does with its runs: the kernel closes that end, after `kill -9` too. GROUP in the environment
says that stdin is such a pipe, and names the `up` that we belong to, where there is one.
"""

from __future__ import annotations

import os
import signal
import stat
import threading
import time
from functools import cache

import psutil

GROUP = "POSTFLOW_GROUP"
# What a parent would wait for a child before it kills it.
GRACE = 45.0
SHORT = 0.1


@cache
def end_with_parent(*, last: bool = False) -> None:
    """When who started us ends, we do as on SIGTERM, and are killed if that takes too long.

    One that is `last` waits for the others of its group before. A process that none of ours
    has started is left alone.
    """
    if GROUP in os.environ and stat.S_ISFIFO(os.fstat(0).st_mode):
        pipe = os.dup(0)
        _to_nothing(0)
        threading.Thread(target=_end_with, args=(pipe, last), name="parent", daemon=True).start()


def processes_of(group: str) -> list[psutil.Process]:
    """The other living processes of this group."""
    return [each for each in psutil.process_iter() if _belongs(each, group)]


def _belongs(process: psutil.Process, group: str) -> bool:
    try:
        return process.pid != os.getpid() and process.environ().get(GROUP) == group
    except (psutil.Error, OSError):  # somebody else's, or a zombie
        return False


def _end_with(pipe: int, last: bool) -> None:
    while os.read(pipe, 1):
        pass
    for stream in (1, 2):  # rich, by which Prefect logs, exits where nobody reads
        if stat.S_ISFIFO(os.fstat(stream).st_mode):
            _to_nothing(stream)
    deadline = time.monotonic() + GRACE
    while last and processes_of(os.environ[GROUP]) and time.monotonic() < deadline:
        time.sleep(SHORT)
    main_thread = threading.main_thread().ident
    assert main_thread is not None
    signal.pthread_kill(main_thread, signal.SIGTERM)
    time.sleep(GRACE)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _to_nothing(stream: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, stream)
    os.close(nothing)
