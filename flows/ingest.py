"""The flow `ingest`: delivers all clips that are ready, each in a run of its own."""

from __future__ import annotations

import logging

from prefect import flow
from prefect.runtime import flow_run

from postflow.engine.artifacts import leave_tally, show_in_ui
from postflow.engine.housekeeping import clean_up
from postflow.engine.runs import tag_run
from postflow.engine.stopping import until_stopped
from postflow.engine.studio import OpenStudio, open_studio
from postflow.language import counted
from postflow.models import Drained

from .drain import Drain
from .staying import Stay

log = logging.getLogger("postflow.ingest")

NOTHING = Drained(delivered={}, failed={}, put_off={}, skipped={})


def _run_name() -> str:
    return f"ingest {flow_run.parameters.get('studio') or ''}".rstrip()


@flow(name="ingest", flow_run_name=_run_name)
async def ingest(
    studio: str | None = None, idle_timeout: float | None = None, stay: bool = False
) -> Drained:
    """Scan the watch folders, deliver every clip that is ready, wait for late-comers, close.

    Args:
        studio: The Studio block with the set-up; “main”, or the only one, when empty.
        idle_timeout: Seconds to wait for late-comers; the studio's own when empty.
        stay: Then stay, with no tunnel open, so that the next clip goes at once, until the clock's
            next run is due. What came of the clips is in the run's tables then, not in its result.
    """
    show_in_ui()
    return await until_stopped(lambda: _ingest(studio, idle_timeout, stay=stay))


async def _ingest(name: str | None, idle_timeout: float | None, *, stay: bool) -> Drained:
    await tag_run()
    async with open_studio(name) as studio:
        await tag_run(studio)
        await clean_up(studio)
        drained = await _drain(studio, idle_timeout, stay=stay)
    drained = drained.model_copy(update={"not_told": studio.not_told})
    await _tell(studio.name, drained)
    if drained.not_told:
        told = counted(len(drained.not_told), "message")
        log.warning("%s not told in Discord; `postflow status` says what to do.", told)
    return drained


async def _drain(studio: OpenStudio, idle_timeout: float | None, *, stay: bool) -> Drained:
    """What is not in a table yet: while it stays, what came of the clips is told each time."""
    from .deliver import deliver

    staying = Stay(studio) if stay else None
    while True:
        drain = Drain(studio, deliver, idle_timeout=idle_timeout)
        drained = await drain.run()
        if staying is None:
            return drained
        await _tell(studio.name, drained)
        if not await staying.until_wanted(drain.watchers):
            return NOTHING


async def _tell(name: str, drained: Drained) -> None:
    if drained == NOTHING:
        return
    await leave_tally(name, drained)
    came = {outcome.replace("_", " "): len(clips) for outcome, clips in drained if clips}
    log.info("Clips: %s.", ", ".join(f"{many} {outcome}" for outcome, many in came.items()))
