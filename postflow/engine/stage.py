"""What every stage has in common: its name in the UI, its cache, its second chance."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar

import xxhash
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.settings import get_current_settings
from prefect.tasks import Task, exponential_backoff

from postflow.errors import Retry

P = ParamSpec("P")
R = TypeVar("R")
Subject = Callable[[dict[str, Any]], str]

KEEP = timedelta(days=30)
RESULTS = "postflow-"


def stage(
    name: str, *, subject: Subject | None = None, retries: int = 1
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Task[P, Coroutine[Any, Any, R]]]:
    """A Prefect task called `name`, retried on `Retry` only.

    What only finds out is cached by studio and `subject`; what has an effect has none, for a hit
    would leave the effect out.
    """
    cache: dict[str, Any] = {"cache_policy": NO_CACHE}
    if subject:
        cache = {
            "cache_key_fn": _cache_key(name, subject),
            "cache_expiration": KEEP,
            "persist_result": True,
            "result_serializer": "json",
        }
    return task(
        name=name,
        task_run_name=name,
        retries=retries,
        retry_delay_seconds=_retry_delay(),
        retry_condition_fn=_is_worth_retrying,
        **cache,
    )


def _cache_key(name: str, subject: Subject) -> Callable[[TaskRunContext, dict[str, Any]], str]:
    def key(_: TaskRunContext, parameters: dict[str, Any]) -> str:
        # It becomes a file's name, and what it is made of is hostile input.
        about = xxhash.xxh3_128_hexdigest(subject(parameters).encode(errors="surrogateescape"))
        return f"{RESULTS}{name.replace(' ', '-')}-{parameters['live'].scope}-{about}"

    return key


def _retry_delay() -> Any:
    """Prefect's own default when somebody set one, else about 5 s."""
    return get_current_settings().tasks.default_retry_delay_seconds or exponential_backoff(5)


def _is_worth_retrying(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    return isinstance(state.data, Retry)
