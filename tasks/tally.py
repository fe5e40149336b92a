"""The table of an ingest run in Prefect's UI."""

from __future__ import annotations

import re

from prefect.artifacts import acreate_table_artifact

from postflow.models import Drained

from .courtesy import courtesy


async def leave_tally(studio: str, drained: Drained) -> None:
    """A row a clip; nothing when nothing was ready."""
    rows = [
        {"clip": name, "outcome": outcome.replace("_", " "), "link or reason": told}
        for outcome, clips in drained
        for name, told in clips.items()
    ]
    if rows:
        key = "ingest-" + re.sub(r"[^a-z0-9]+", "-", studio.lower())
        async with courtesy("the table of this run"):
            await acreate_table_artifact(rows, key=key, description=f"What ingest {studio} came to")
