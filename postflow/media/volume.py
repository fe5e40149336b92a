"""Asking a volume that may never answer: nobody waits for it for ever, or is kept from leaving."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from postflow.errors import Retry

PATIENCE = 120.0

T = TypeVar("T")


async def ask(work: Callable[[], T]) -> T:
    """Do `work` in a daemon thread: one that hangs on a dead mount never comes back, and a pool's
    would be waited for when the process ends.
    """
    answer: Future[T] = Future()
    answer.set_running_or_notify_cancel()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            answer.set_result(context.run(work))
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=run, name="volume", daemon=True).start()
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
