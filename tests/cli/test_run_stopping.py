"""SIGTERM and a run of Prefect's: cancelled in order, whatever its process does at that moment."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from prefect.exceptions import TerminationSignal
from prefect.utilities.engine import capture_sigterm, is_prefect_sigterm_handler_installed

from postflow.engine.stopping import cancelled_by_sigterm
from postflow.service.runner import StoppableRunner


async def until_stopped(ended: list[str]) -> None:
    with cancelled_by_sigterm(), capture_sigterm():  # as a subflow would
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(60)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.05)
            ended.append("cleaned up")


async def test_sigterm_cancels_and_a_second_one_disturbs_no_clean_up() -> None:
    before, ended = signal.getsignal(signal.SIGTERM), list[str]()
    with capture_sigterm():
        assert is_prefect_sigterm_handler_installed(), "else Prefect tells no run of its cancelling"
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(until_stopped(ended))
    assert ended == ["cleaned up"]
    assert signal.getsignal(signal.SIGTERM) is before


async def wait_for_an_inner_one() -> None:
    with cancelled_by_sigterm(), capture_sigterm():
        inner = asyncio.create_task(until_stopped([]))
        try:
            await asyncio.wait([inner])
        finally:
            inner.cancel()


async def test_of_nested_blocks_the_outermost_is_cancelled() -> None:
    with capture_sigterm(), pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(wait_for_an_inner_one())


async def test_a_runner_that_is_only_starting_ends_when_it_is_cancelled(prefect_api: str) -> None:
    serving = asyncio.create_task(StoppableRunner().run_until_cancelled())
    await asyncio.sleep(0)
    serving.cancel()
    async with asyncio.timeout(60):
        with pytest.raises(asyncio.CancelledError):
            await serving


def test_other_flows_end_as_prefect_ends_them() -> None:
    with pytest.raises(TerminationSignal):
        stop_a_flow()


def stop_a_flow() -> None:
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with capture_sigterm():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
