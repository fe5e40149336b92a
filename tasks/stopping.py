"""A run whose process is told to stop is cancelled, and cleans up."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cancelled_by_sigterm() -> Iterator[None]:
    """SIGTERM cancels the task that is in the block, once; a second one disturbs no clean-up.

    Prefect's own handler raises in whatever runs at that moment. Where that is a transport of
    asyncio's, nobody hears of it, and the run goes on until it is killed.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    if task is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    asked: list[bool] = []

    def cancel() -> None:
        if not asked:
            asked.append(task.cancel())

    loop.add_signal_handler(signal.SIGTERM, cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
