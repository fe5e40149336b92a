"""Studios whose world is a sandbox."""

from __future__ import annotations

from typing import Any

from postflow.cli.sandbox import sandbox_studio
from postflow.sandbox import Sandbox
from postflow.settings import RetryPolicy

QUICK = {"poll": 0.1, "stall": 60.0, "total": 90.0}


async def save(
    world: Sandbox,
    *,
    name: str = "main",
    patience: dict[str, Any] | None = None,
    watching: dict[str, Any] | None = None,
    ping: str | None = None,
    transfer: str = "tunnel",
    has_tunnel: bool = True,
    limits: dict[str, Any] | None = None,
    share: dict[str, Any] | None = None,
    project: str | None = None,
    **tunnel: Any,
) -> str:
    """Save a studio's blocks on the test's Prefect server; returns its name."""
    from postflow.service.save_studio import save_studio
    from postflow.service.studio_file import StudioFile

    tables = sandbox_studio(world.describe(), name=name)
    tables["tunnel"] |= tunnel
    if not has_tunnel:
        del tables["tunnel"]
    tables["studio"] |= {"ping": ping, "transfer": transfer, **(limits or {})}
    if project:
        tables["frameio"]["project"] = project
    if share:
        tables["frameio"]["share"] = share
    if watching:
        tables["studio"]["watching"] = watching
    file = StudioFile.model_validate(tables)
    section = file.studio.model_copy(
        update={"retry_policy": RetryPolicy(**QUICK | (patience or {}))}
    )
    await save_studio(file.model_copy(update={"studio": section}))
    return name
