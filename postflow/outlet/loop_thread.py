"""An event loop in a thread of its own, so that a slow disk freezes nobody else."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, TypeVar

log = logging.getLogger(__name__)

Thing = TypeVar("Thing")
Result = TypeVar("Result")


class LoopThread(Generic[Thing]):
    """Holds one async context manager open in another thread's loop.

    Opening and closing block the caller, and so cannot be cancelled halfway.
    """

    def __init__(self, name: str, hold: Callable[[], AbstractAsyncContextManager[Thing]]) -> None:
        self._hold = hold
        self._opened: Future[Thing] = Future()
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event

    def open(self) -> Thing:
        """Start the thread; return what the context manager gave, or raise what it raised."""
        self._thread.start()
        return self._opened.result()

    def close(self, *, limit: float = 5.0) -> None:
        """Leave the context manager and end the thread, or leave it behind after `limit` seconds:
        a volume that stopped answering can hold it for ever.
        """
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(limit)
        if self._thread.is_alive():
            log.warning("The %s did not end in %.0f s.", self._thread.name, limit)

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine over there, wait for it here."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def _main(self) -> None:
        # uvloop has no sendfile: always asyncio's own loop, whatever the policy says.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            async with self._hold() as thing:
                self._opened.set_result(thing)
                await self._stop.wait()
        except BaseException as error:
            if self._opened.done():
                raise
            self._opened.set_exception(error)


Done = TypeVar("Done")


async def finish(work: Coroutine[Any, Any, Done]) -> Done:
    """Await `work` to its end. Cancellations that come meanwhile are raised afterwards."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled:
        raise cancelled from task.exception()
    return task.result()
