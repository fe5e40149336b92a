"""What the decorators of the stages name: when to try again, and what a result is remembered by."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import xxhash
from prefect.client.schemas.objects import State, TaskRun
from prefect.settings import get_current_settings
from prefect.tasks import Task, exponential_backoff

from postflow.errors import Retry

from .studio import OpenStudio

KEEP = timedelta(days=30)
RESULTS = "postflow-"
LONGEST_WAIT = 60.0

BACKOFF: Any = get_current_settings().tasks.default_retry_delay_seconds or exponential_backoff(5)
"""Prefect's own default where somebody set one, else 5 s, 10 s, 20 s and so on."""


async def worth_another_attempt(
    _task: Task[..., Any],
    run: TaskRun,
    state: State[Any],
    *,
    within: float | None = None,
    but: str | None = None,
) -> bool:
    """Retries a Retry and a time-out, never a Skip or a Fatal; none begins after `within` seconds,
    and none on the code `but`.

    Prefect has one delay for all errors, so the time that the world asked for is waited for here.
    """
    error = state.data
    age = datetime.now(tz=UTC) - run.start_time if run.start_time else timedelta(0)
    if within is not None and age.total_seconds() > within:
        return False
    if isinstance(error, Retry) and error.code == but:
        return False
    if isinstance(error, Retry) and error.retry_after:
        await asyncio.sleep(min(error.retry_after, LONGEST_WAIT))
    return isinstance(error, Retry | TimeoutError)


def cache_key(stage: str, studio: OpenStudio, *about: str | None) -> str:
    """A cache key that is safe as a file name, whatever it is made of."""
    text = "\0".join("" if each is None else f"={each}" for each in about)
    digest = xxhash.xxh3_128_hexdigest(text.encode(errors="surrogateescape"))
    return f"{RESULTS}{stage}-{studio.scope}-{digest}"
