"""SIGTERM and a run of Prefect's: cancelled in order, whatever its process does at that moment."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any
from uuid import UUID

import pytest
from prefect import Flow, State, flow, get_client
from prefect.client.schemas import filters
from prefect.client.schemas.objects import StateType
from prefect.exceptions import TerminationSignal
from prefect.flow_engine import run_flow_async
from prefect.runner import Runner
from prefect.runtime import flow_run
from prefect.utilities.engine import capture_sigterm

from postflow.engine import stopping
from postflow.engine.stopping import CANCELLED, STOPPED, until_stopped
from postflow.service.serve import run_until_cancelled

pytestmark = pytest.mark.prefect

ended: list[str] = []


async def stop_and_clean_up() -> str:
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(60)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.05)
        ended.append("cleaned up")
    return "never"


@flow
async def stops() -> str:
    return await until_stopped(stop_and_clean_up)


async def be_cancelled() -> None:
    """As by a person: this run's state on Prefect's server says so."""
    async with get_client() as client:
        run = UUID(str(flow_run.id))
        await client.set_flow_run_state(run, State(type=StateType.CANCELLING), force=True)


@flow
async def stops_since_somebody_cancels() -> str:
    await be_cancelled()
    return await until_stopped(stop_and_clean_up)


async def wait_and_clean_up() -> str:
    try:
        await asyncio.sleep(600)
    finally:
        ended.append("cleaned up")
    return "never"


@flow
async def is_told_by_nobody() -> str:
    """Prefect's runner hears nothing any more after an outage of the server; here is none."""
    await be_cancelled()
    return await until_stopped(wait_and_clean_up)


async def two_below() -> None:
    await asyncio.gather(stops(), stops(), return_exceptions=True)
    await asyncio.sleep(60)


@flow
async def has_two_below() -> None:
    return await until_stopped(two_below)


async def run_of_a_deployment(of: Flow[..., Any]) -> tuple[State[Any], list[State[Any]]]:
    """The states of its run, and of those below it, in the end."""
    async with get_client() as client:
        deployment = await client.create_deployment(await client.create_flow(of), name="stops")
        run = await client.create_flow_run_from_deployment(deployment)
        state = await run_flow_async(of, flow_run=run, return_type="state")
        assert isinstance(state, State)
        return state, await _below(run.id)


async def _below(run_id: UUID) -> list[State[Any]]:
    parent = filters.FlowRunFilterParentFlowRunId(any_=[run_id])
    below = filters.FlowRunFilter(parent_flow_run_id=parent)
    async with get_client() as client:
        runs = await client.read_flow_runs(flow_run_filter=below)
    return [run.state for run in runs if run.state]


@pytest.mark.parametrize(
    ("of", "why"),
    [(stops, STOPPED), (stops_since_somebody_cancels, CANCELLED), (is_told_by_nobody, CANCELLED)],
)
async def test_a_run_that_is_stopped_or_cancelled_cleans_up_whatever_comes_meanwhile(
    prefect_api: str, monkeypatch: pytest.MonkeyPatch, of: Flow[..., Any], why: str
) -> None:
    monkeypatch.setattr(stopping, "LISTEN", 0.2 if of is is_told_by_nobody else 600.0)
    before = signal.getsignal(signal.SIGTERM)
    ended.clear()
    state, _ = await run_of_a_deployment(of)
    assert state.is_cancelled()
    assert state.message == why
    assert ended == ["cleaned up"]
    assert signal.getsignal(signal.SIGTERM) is before


async def test_those_below_a_run_are_cancelled_with_it_wherever_they_are(prefect_api: str) -> None:
    """The first of both stops the process while the second may only be starting."""
    state, below = await run_of_a_deployment(has_two_below)
    assert state.is_cancelled()
    assert below
    assert all(each.is_cancelled() for each in below), below


async def test_a_runner_that_is_only_starting_ends_when_it_is_cancelled(prefect_api: str) -> None:
    serving = asyncio.create_task(run_until_cancelled(Runner()))
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
