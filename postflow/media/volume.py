"""Asking a volume that may never answer: nobody waits for it for ever, or is kept from leaving."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from postflow.errors import Retry

PATIENCE = 120.0

T = TypeVar("T")


class DaemonThread:
    """Runs calls one after the other in a thread that lives until `close`.

    A daemon: a call that hangs on a dead mount never comes back, and a pool's thread would be
    waited for when the process ends.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def submit(self, call: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        context = contextvars.copy_context()
        self._calls.put((future, lambda: context.run(call)))
        return future

    def close(self) -> None:
        """Let the thread end once its calls are done."""
        self._calls.put(None)

    def _work(self) -> None:
        while (item := self._calls.get()) is not None:
            _run(*item)
            del item


def _run(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(call())
    except BaseException as error:  # to whoever waits for the call, as executors do
        future.set_exception(error)


async def ask(work: Callable[[], T]) -> T:
    """Do `work` in a thread of its own, so that one that hangs holds up no other."""
    thread = DaemonThread("volume")
    answer = thread.submit(work)
    thread.close()
    return await asyncio.wrap_future(answer)


async def in_time(asking: Awaitable[T], path: Path, *, patience: float = PATIENCE) -> T:
    """The answer; raises Retry `volume.hangs` when there is none after `patience` seconds."""
    try:
        async with asyncio.timeout(patience):
            return await asking
    except TimeoutError:
        raise Retry(
            f"The volume of {path} does not answer.",
            hint="Mount it anew; whoever looks at it hangs.",
            code="volume.hangs",
        ) from None
