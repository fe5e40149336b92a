"""Waiting for a condition, never for time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


async def wait_until(
    predicate: Callable[[], object], *, timeout: float = 60.0, description: str = "the condition"
) -> None:
    """Return once `predicate()` is true; fail after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not predicate():
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {timeout:.0f} s in vain for {description}.")
        await asyncio.sleep(0.02)


def wait_until_sync(
    predicate: Callable[[], object], *, timeout: float = 60.0, description: str = "the condition"
) -> None:
    """The same for tests without a loop."""
    deadline = time.monotonic() + timeout
    while not predicate():
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {timeout:.0f} s in vain for {description}.")
        time.sleep(0.02)
