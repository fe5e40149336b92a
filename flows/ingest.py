"""The flow `ingest`: delivers all clips that are ready, each in a run of its own."""

from __future__ import annotations

import logging

from prefect import flow

from postflow.discord.card import counted
from postflow.engine.artifacts import leave_tally, show_in_ui
from postflow.engine.crashed_runs import clean_up, tag_run
from postflow.engine.stopping import until_stopped
from postflow.engine.studio import open_studio
from postflow.models import Drained

from .drain import Drain

log = logging.getLogger("postflow.ingest")


@flow(name="ingest", flow_run_name="ingest {studio}")
async def ingest(studio: str = "main", idle_timeout: float | None = None) -> Drained:
    """Scan the watch folders, deliver every clip that is ready, wait for late-comers, close.

    Args:
        studio: The Studio block with the set-up.
        idle_timeout: Seconds to wait for late-comers; the studio's own when empty.
    """
    show_in_ui()
    return await until_stopped(lambda: _ingest(studio, idle_timeout))


async def _ingest(studio: str, idle_timeout: float | None) -> Drained:
    await tag_run()
    drained = await _drain(studio, idle_timeout)
    await leave_tally(studio, drained)
    delivered, failed = counted(len(drained.delivered), "clip"), len(drained.failed)
    log.info("%s delivered, %d failed.", delivered, failed)
    if drained.not_told:
        told = counted(len(drained.not_told), "message")
        log.warning("%s not told in Discord; `postflow status` says what to do.", told)
    return drained


async def _drain(name: str, idle_timeout: float | None) -> Drained:
    from .deliver import deliver

    async with open_studio(name) as studio:
        await tag_run(studio.run_id)
        await clean_up(studio)
        drained = await Drain(studio, deliver, idle_timeout=idle_timeout).run()
    return drained.model_copy(update={"not_told": studio.not_told})
