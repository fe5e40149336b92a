"""Asks a running sandbox which faults are armed for the agent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp

POLL_SECONDS = 0.2

Fault = Mapping[str, Any]


async def pending(control_url: str, *, running: bool) -> list[Fault]:
    """Take what is armed for the start, or for a running agent; nothing if the sandbox is gone."""
    query = {"running": "1"} if running else {}
    limit = aiohttp.ClientTimeout(total=5)
    try:
        async with (
            aiohttp.ClientSession(timeout=limit) as client,
            client.get(f"{control_url}/sandbox/agent/faults", params=query) as answer,
        ):
            return list(await answer.json()) if answer.status == 200 else []
    except (aiohttp.ClientError, TimeoutError):
        return []


async def follow(control_url: str, strike: Callable[[Fault], Awaitable[None]]) -> None:
    """Strike with each fault as it is armed, for ever."""
    while True:
        await asyncio.sleep(POLL_SECONDS)
        for fault in await pending(control_url, running=True):
            await strike(fault)
