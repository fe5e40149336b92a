"""A run whose process is told to stop is cancelled, and cleans up.

Prefect's own handler of SIGTERM raises in whatever runs at that moment. Where that is another task
than the flow's, or a transport of asyncio's, the flow never hears of it, and goes on until it is
killed (seen with Prefect 3.8.8). Ours takes its place under its name, since Prefect tells a run
that it is cancelled only while it finds its own handler there.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prefect.exceptions import TerminationSignal
from prefect.utilities import engine

_cancel: list[Callable[[], object]] = []


@contextmanager
def cancelled_by_sigterm() -> Iterator[None]:
    """SIGTERM cancels the task that is in the block, once; a second one disturbs no clean-up."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    if task is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[bool] = []

    def cancel() -> None:
        if not asked:
            asked.append(task.cancel())

    _cancel.append(lambda: loop.call_soon_threadsafe(cancel))
    try:
        yield
    finally:
        _cancel.pop()


def _handle(number: int, *_: object) -> None:
    if not _cancel:
        raise TerminationSignal(signal=number)
    _cancel[-1]()


engine._prefect_sigterm_handler = _handle  # type: ignore[assignment]  # noqa: SLF001 - see above
