"""A loop in a thread of its own: it opens, works, fails and ends without holding us up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from postflow.outlet.loop_thread import LoopThread, finish


@asynccontextmanager
async def where() -> AsyncIterator[threading.Thread]:
    yield threading.current_thread()


async def test_what_is_held_lives_in_the_other_thread() -> None:
    thread = LoopThread("other", where)
    other = thread.open()
    assert other is not threading.current_thread()
    assert await thread.run(asyncio.to_thread(lambda: 7)) == 7
    thread.close()
    thread.close()
    assert not other.is_alive()


async def test_an_opening_that_fails_is_raised_here() -> None:
    @asynccontextmanager
    async def broken() -> AsyncIterator[None]:
        raise LookupError
        yield

    thread = LoopThread("other", broken)
    with pytest.raises(LookupError):
        thread.open()
    thread.close()


async def test_work_is_cancelled_there_when_cancelled_here() -> None:
    begun, ended = threading.Event(), threading.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    thread = LoopThread("other", where)
    thread.open()
    running = asyncio.create_task(thread.run(work()))
    await asyncio.to_thread(begun.wait, 10)
    running.cancel()
    assert await asyncio.to_thread(ended.wait, 10)
    thread.close()


async def test_a_loop_that_hangs_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    release = threading.Event()

    async def hang() -> None:
        release.wait()

    thread = LoopThread("other", where)
    other = thread.open()
    hanging = asyncio.create_task(thread.run(hang()))
    await asyncio.sleep(0)
    thread.close(limit=0.05)
    assert caplog.messages == ["The other did not end in 0 s."]
    release.set()
    await hanging
    other.join(10)
    assert not other.is_alive()


async def test_seeing_through_outlasts_cancellation_and_passes_it_on() -> None:
    may_end, done = asyncio.Event(), []

    async def work() -> str:
        await may_end.wait()
        done.append(True)
        return "result"

    task = asyncio.create_task(finish(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [True]
    assert await finish(work()) == "result"


async def test_seeing_through_raises_what_went_wrong() -> None:
    async def work() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await finish(work())
