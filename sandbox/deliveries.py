"""Sends events to webhooks: signed, up to five times, with longer and longer waits between."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import random
import time
from typing import TYPE_CHECKING

import aiohttp

from .refusals import Json

if TYPE_CHECKING:
    from postflow.sandbox.frameio.webhooks import Webhook

    from .world import World

log = logging.getLogger(__name__)

USER_AGENT = "Frame.io V4 API"
JITTER = 0.1


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """`v0=` and the HMAC-SHA256 of `v0:<timestamp>:<body>`, as Frame.io documents it."""
    message = f"v0:{timestamp}:".encode() + body
    return "v0=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


class Deliveries:
    """The deliveries under way."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tasks: set[asyncio.Task[None]] = set()

    def announce(self, event: str, payload: Json) -> None:
        """Start a delivery to each active webhook that asked for `event`."""
        for webhook in self._world.webhooks.values():
            if webhook.active and event in webhook.events:
                body = json.dumps(payload).encode()
                task = asyncio.get_running_loop().create_task(self._deliver(webhook, body))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self, webhook: Webhook, body: bytes) -> None:
        switches = self._world.switches
        timeout = aiohttp.ClientTimeout(total=switches.webhook_timeout)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            for attempt in range(switches.webhook_attempts):
                if attempt:
                    wait = switches.webhook_backoff * 2 ** (attempt - 1)
                    await asyncio.sleep(wait * random.uniform(1, 1 + JITTER))
                if await self._post(session, webhook, body):
                    return
        log.info("Webhook %s was not reached; its event is lost.", webhook.id)

    @staticmethod
    async def _post(session: aiohttp.ClientSession, webhook: Webhook, body: bytes) -> bool:
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "X-Frameio-Request-Timestamp": timestamp,
            "X-Frameio-Signature": signature(webhook.secret, timestamp, body),
        }
        try:
            async with session.post(webhook.url, data=body, headers=headers) as answer:
                return answer.ok
        except (aiohttp.ClientError, TimeoutError):
            return False
