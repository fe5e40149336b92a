"""What ends work: a signal, from another thread; the end of the block that it is done beside."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, TypeVar

log = logging.getLogger("postflow.background")

T = TypeVar("T")


@asynccontextmanager
async def in_background(work: Coroutine[Any, Any, object], name: str) -> AsyncIterator[None]:
    """Done while the block lasts; cancelled at its end, and its clean-up waited for.

    The block goes on without what fails, and the log says so at once.
    """
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_say_fault)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def _say_fault(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (fault := task.exception()):
        log.error("A fault of our own, in %s:", task.get_name(), exc_info=fault)


class Stop:
    """A signal handler that cancels the coroutine it guards, once, also one that begins later.

    `tell` is called in the loop's thread, before. `number` is None until a signal has come.
    """

    def __init__(self, tell: Callable[[], object] = lambda: None) -> None:
        self.number: int | None = None
        self._tell = tell
        self._cancel: Callable[[], object] | None = None

    async def guard(self, work: Coroutine[Any, Any, T]) -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        self._cancel = partial(loop.call_soon_threadsafe, self._end, task)
        if self.number is not None:
            self._end(task)
        try:
            return await work
        finally:
            self._cancel = None

    def __call__(self, number: int = signal.SIGTERM, *_: object) -> None:
        first, self.number = self.number is None, number
        if first and (cancel := self._cancel):
            with suppress(RuntimeError):  # the loop has just ended
                cancel()

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._tell()
        task.cancel()
