"""A run whose process is told to stop is cancelled, and cleans up.

Prefect's own handler of SIGTERM raises in whatever runs at that moment. Where that is another task
than the flow's, or a transport of asyncio's, the flow never hears of it, and goes on until it is
killed (seen with Prefect 3.8.8). Ours takes its place under its name, since Prefect tells a run
that it is cancelled only while it finds its own handler there.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from prefect._internal import control_listener
from prefect.exceptions import TerminationSignal
from prefect.utilities import engine

# What Prefect's runner sets to "false" for its runs, because it tells the server of their end.
OWN_END = "PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS"

_cancel: list[Callable[[], object]] = []


@contextmanager
def cancelled_by_sigterm() -> Iterator[None]:
    """SIGTERM cancels the task that is in the block, once; a second one disturbs no clean-up.

    Of nested blocks, as a subflow's in its parent's, the outermost is meant.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    if task is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[bool] = []

    def cancel() -> None:
        if not asked:
            _tell_of_our_end()
            asked.append(task.cancel())

    call = partial(loop.call_soon_threadsafe, cancel)
    _cancel.append(call)
    try:
        yield
    finally:
        _cancel.remove(call)


def _tell_of_our_end() -> None:
    """A runner announces its signal; one that did not will not say either that we are cancelled."""
    if os.environ.get(OWN_END) == "false" and control_listener.get_intent() is None:
        os.environ[OWN_END] = "true"
        control_listener._set_intent("cancel")  # noqa: SLF001 - or Prefect would call it a crash


def _handle(number: int, *_: object) -> None:
    if not _cancel:
        raise TerminationSignal(signal=number)
    _cancel[0]()


engine._prefect_sigterm_handler = _handle  # type: ignore[assignment]  # noqa: SLF001 - see above
