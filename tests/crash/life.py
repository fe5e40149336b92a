"""One life of an `ingest` run, in a process of its own that may die at any moment."""

from __future__ import annotations

import asyncio
import os
import traceback
from contextlib import nullcontext
from pathlib import Path

from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import BaseModel

import postflow.flows.deliver  # noqa: F401 - imported once in the nursery, not in every life
from postflow.flows.ingest import ingest
from postflow.ledger import clips, outages
from postflow.media import picture
from tests.crash.killing import Death, Reaper


class Order(BaseModel):
    """Which studio's clips to ingest, with which state folder, and when to die.

    `api`: another Prefect server than the session's. `haste`: what was put off is tried again so
    many times sooner.
    """

    studio: str
    state: Path
    log: Path
    witness: Path
    death: Death = Death()
    idle_timeout: float | None = None
    api: str | None = None
    haste: float = 1.0


def live(order: Order) -> None:
    """To the end of the run, or to its death."""
    os.environ["POSTFLOW_STATE_DIR"] = str(order.state)
    Reaper(order.death, order.witness)
    clips.FIRST /= order.haste
    clips.LONGEST /= order.haste
    outages.PAUSE /= order.haste
    outages.BRIEF /= order.haste
    # A process for each clip, which no test here is about.
    setattr(picture, "can_be_made", lambda: False)  # noqa: B010 - a test's
    server = temporary_settings({PREFECT_API_URL: order.api}) if order.api else nullcontext()
    try:
        with server:
            asyncio.run(ingest(order.studio, idle_timeout=order.idle_timeout))
    except BaseException:
        traceback.print_exc()
        raise
