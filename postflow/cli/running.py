"""Running a command to its end, even where that end is Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, TypeVar

from postflow.service.console import err

T = TypeVar("T")


class Stopped(SystemExit):
    """A signal ended the command, and what it had open is closed. Exit code 130 or 143."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


def run(work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns. A signal cancels it, and its clean-up is waited for; raises Stopped.

    The loop lives in a thread: in the main one Prefect handles SIGTERM during a flow, by an
    exception in whatever runs at that moment, clean-ups included.
    """
    stop = _Stop()
    with (
        ThreadPoolExecutor(1, "postflow", initializer=_spare_children) as pool,
        _handled(stop, signal.SIGINT, signal.SIGTERM),
    ):
        job = pool.submit(asyncio.run, stop.guard(work))
        try:
            return job.result()
        except asyncio.CancelledError:
            if stop.number is None:
                raise
            raise Stopped(stop.number) from None


def _spare_children() -> None:
    """A Ctrl-C at the terminal goes to all; what this thread starts is stopped by it, in order."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM or Ctrl-C closes what the main thread has open, and raises Stopped.

    A second one does not disturb that.
    """
    with _handled(_stop_here, signal.SIGINT, signal.SIGTERM):
        yield


class _Stop:
    """A signal handler that cancels the coroutine it guards."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None

    async def guard(self, work: Coroutine[Any, Any, T]) -> T:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if self.number is not None:
            self._cancel()
        return await work

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        first, self.number = self.number is None, number
        if first and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just ended
                self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        err.print("Stopping …")
        if self._task is not None:
            self._task.cancel()


def _stop_here(number: int, _frame: FrameType | None) -> NoReturn:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise Stopped(number)


@contextmanager
def _handled(handler: Any, *numbers: signal.Signals) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
