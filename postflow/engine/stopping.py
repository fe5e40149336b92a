"""A run whose process is told to stop (SIGTERM) cleans up, and ends as Cancelled.

Prefect's own handler raises in whatever the main thread runs at that moment, and each subflow that
begins there puts it in place again. So the work of a run lives in a thread of its own, in which
Prefect installs none, and our handler cancels it.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar, cast

from prefect.context import AsyncClientContext, FlowRunContext
from prefect.states import Cancelled

from postflow.stop import Stop, in_background

from .parent import end_with_parent
from .runs import end_children, is_to_be_cancelled

T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, T]]

STOPPED = "PostFlow was stopped; the next run takes its clips up again."
# Of a clip that it has taken, the clip's own run says so in other words.
CANCELLED = "It was cancelled in Prefect; what it had taken, the next run takes up again."


# Seconds between two looks of a run at its own state.
LISTEN = 20.0


def is_of_a_deployment() -> bool:
    """Was the run asked for through Prefect's server, by whoever may ask there?

    The runs within an `ingest` run are not; `prefect.runtime` would say that they are.
    """
    context = FlowRunContext.get()
    return bool(context and context.flow_run and context.flow_run.deployment_id)


async def until_stopped(work: Work[T]) -> T:
    """A flow's whole work. Where SIGTERM cancels it, the state Cancelled for the flow to return.

    A second one disturbs no clean-up. A run that is no deployment's leaves signals alone.
    """
    if not is_of_a_deployment() or threading.current_thread() is not threading.main_thread():
        return await _stoppable(work)
    stop = Stop()
    before = signal.signal(signal.SIGTERM, stop)
    end_with_parent()
    try:
        outcome = await _in_a_thread(stop, work)
        if stop.number is not None:
            await end_children(Cancelled(message=STOPPED))
        return outcome
    finally:
        signal.signal(signal.SIGTERM, before if stop.number is None else signal.SIG_IGN)


async def _in_a_thread(stop: Stop, work: Work[T]) -> T:
    async def guarded() -> T:
        _stop.set(stop)
        # For all that this loop asks Prefect's server: each client reads all certificates anew,
        # some 30 ms of CPU, and asks for a token of its own.
        async with (
            AsyncClientContext.get_or_create(),
            in_background(_listen(stop), "cancellation"),
        ):
            return await stop.guard(_stoppable(work))

    with ThreadPoolExecutor(1, "run") as pool:
        job = asyncio.get_running_loop().run_in_executor(
            pool, copy_context().run, asyncio.run, guarded()
        )
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:  # somebody else's, as of a flow's time-out
            stop()
            await asyncio.wait([job])
            raise


async def _listen(stop: Stop) -> None:
    """Stop when somebody has cancelled the run. Prefect's runner tells it so by a signal; but once
    its server was away for half a minute, it hears of that no more (Prefect 3.9.1, observers.py).
    """
    is_asked = False
    while not is_asked:
        await asyncio.sleep(LISTEN)
        is_asked = await is_to_be_cancelled(level=logging.DEBUG)
    stop()


async def _stoppable(work: Work[T]) -> T:
    try:
        return await work()
    except asyncio.CancelledError:
        if not (stop := _stop.get()) or stop.number is None:
            raise
    why = CANCELLED if await is_to_be_cancelled() else STOPPED
    return cast("T", Cancelled(message=why))


_stop: ContextVar[Stop | None] = ContextVar("stop", default=None)
