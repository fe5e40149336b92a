"""Stage: what does the file's name mean, and where does it go?"""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.context import TaskRunContext

from postflow.engine.stage import BACKOFF, KEEP, cache_key, worth_another_attempt
from postflow.engine.studio import OpenStudio
from postflow.models import MediaFile, Shot


def _by_name(_: TaskRunContext, given: dict[str, Any]) -> str:
    return cache_key(
        "identify", given["studio"], given["media"].name, given["scene"], given["shot"]
    )


@task(
    name="identify",
    task_run_name="identify",
    retries=1,
    retry_delay_seconds=BACKOFF,
    retry_condition_fn=worth_another_attempt,
    timeout_seconds=60,
    cache_key_fn=_by_name,
    cache_expiration=KEEP,
    persist_result=True,
    result_serializer="json",
)
async def identify(
    studio: OpenStudio, media: MediaFile, *, scene: str | None = None, shot: str | None = None
) -> Shot:
    """Raises Skip when the name matches no rule and nothing was given by hand."""
    return studio.naming.identify(media.name, scene=scene, shot=shot)
