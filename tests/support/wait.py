"""Waiting for a condition, never for time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

SHORTEST, LONGEST = 0.02, 0.2


async def wait_until(
    predicate: Callable[[], object], *, timeout: float = 120.0, description: str = "the condition"
) -> None:
    """Return once `predicate()` is true; fail after `timeout` seconds."""
    began = asked = time.monotonic()
    while not predicate():
        _demand_time(began, timeout, description)
        await asyncio.sleep(_pause(asked))
        asked = time.monotonic()


def wait_until_sync(
    predicate: Callable[[], object], *, timeout: float = 120.0, description: str = "the condition"
) -> None:
    """The same for tests without a loop."""
    began = asked = time.monotonic()
    while not predicate():
        _demand_time(began, timeout, description)
        time.sleep(_pause(asked))
        asked = time.monotonic()


def _demand_time(began: float, timeout: float, description: str) -> None:
    if time.monotonic() - began > timeout:
        raise AssertionError(f"Waited {timeout:.0f} s in vain for {description}.")


def _pause(asked: float) -> float:
    """Four times what asking took: what is waited for needs the processor too."""
    return min(max(SHORTEST, 4 * (time.monotonic() - asked)), LONGEST)
