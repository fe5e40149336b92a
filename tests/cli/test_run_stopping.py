"""SIGTERM and a run of Prefect's: cancelled in order, whatever its process does at that moment."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from tasks.stopping import cancelled_by_sigterm


async def until_stopped(ended: list[str]) -> None:
    with cancelled_by_sigterm():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(60)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.05)
            ended.append("cleaned up")


async def test_sigterm_cancels_and_a_second_one_disturbs_no_clean_up() -> None:
    before, ended = signal.getsignal(signal.SIGTERM), list[str]()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(until_stopped(ended))
    assert ended == ["cleaned up"]
    assert signal.getsignal(signal.SIGTERM) is before


async def test_elsewhere_than_in_the_main_thread_the_command_handles_signals() -> None:
    before = signal.getsignal(signal.SIGTERM)

    async def inside() -> object:
        with cancelled_by_sigterm():
            return signal.getsignal(signal.SIGTERM)

    assert await asyncio.to_thread(asyncio.run, inside()) is before
