"""Prefect's runner, that stops its runs in order when it is stopped, and that none outlives."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from typing import Any

import psutil
from prefect.runner import Runner, runner
from prefect.runner._starter_engine import EngineCommandStarter

from . import leash

STOPPED = "PostFlow was stopped; the next run takes its clips up again."
# Seconds between two looks for runs that are due; Prefect's own 10 are a long wait.
POLL = 2.0
SHORT = 0.05
# Which a run may be of.
FLOWS = ("postflow.flows.ingest", "postflow.flows.deliver")


def _on_a_leash(**given: Any) -> EngineCommandStarter:
    """Prefect's runner keeps the pipe that is its run's stdin open, and never writes to it."""
    command = leash.command("prefect.engine", *(f"{leash.FIRST}{each}" for each in FLOWS))
    return EngineCommandStarter(command=shlex.join(command), **given)


runner.EngineCommandStarter = _on_a_leash  # type: ignore[assignment,attr-defined]


class StoppableRunner(Runner):
    """Tells why its runs are cancelled at the end."""

    def __init__(self) -> None:
        super().__init__(query_seconds=POLL)

    async def cancel_all(self) -> None:
        await self._cancellation_manager.cancel_all(STOPPED)

    async def run_until_cancelled(self) -> None:
        """Cancelled itself, it cancels its runs and waits for them."""
        serving = asyncio.create_task(self.start())
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            # One that is only starting cannot be stopped yet.
            while not (self.started or serving.done()):  # noqa: ASYNC110 - Prefect tells nobody
                await asyncio.sleep(SHORT)
            if self.started:
                await self.astop()
            await _end_runs(serving)
            raise


async def _end_runs(serving: asyncio.Task[None]) -> None:
    """Some are left while Prefect's server does not answer; the runner would wait for them."""
    told: set[psutil.Process] = set()
    while not (await asyncio.wait([serving], timeout=1.0))[0]:
        for run in set(psutil.Process().children()) - told:
            with contextlib.suppress(psutil.NoSuchProcess):
                run.terminate()
            told.add(run)
    await asyncio.gather(serving, return_exceptions=True)
