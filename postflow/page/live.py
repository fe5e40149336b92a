"""Server-sent events: what is shown of a page, anew whenever it is another."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import web

from postflow.errors import PostFlowError

# Seconds between two looks for something new, and between two at what only time changes.
LOOK = 1.0
ANYWAY = 15.0
# A browser asks again by itself: who may not look any more is found out then.
LONGEST = 600.0

Pulse = Callable[[], Awaitable[object]]
Render = Callable[[], Awaitable[str]]


async def tell(request: web.Request, pulse: Pulse, render: Render) -> web.StreamResponse:
    """Send what `render` says whenever `pulse` says something else than before."""
    answer = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    await answer.prepare(request)
    with suppress(ConnectionResetError):  # the browser has gone
        await _tell(answer, pulse, render)
    return answer


async def _tell(answer: web.StreamResponse, pulse: Pulse, render: Render) -> None:
    now = asyncio.get_running_loop().time
    begun, looked, before, shown = now(), now(), None, None
    while now() - begun < LONGEST:
        with suppress(PostFlowError):  # a ledger that is away for a while
            beat = await pulse()
            if beat != before or now() - looked > ANYWAY:
                before, looked = beat, now()
                html = await render()
                if html != shown:
                    shown = html
                    await answer.write(f"data: {json.dumps(html)}\n\n".encode())
                else:
                    await answer.write(b": nothing new\n\n")
        await asyncio.sleep(LOOK)
