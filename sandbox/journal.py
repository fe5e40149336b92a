"""Every request the world was sent, with the secrets left out."""

from __future__ import annotations

import re
import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web

MOST = 100_000
WEBHOOK_TOKEN = re.compile(r"(/api/(?:v\d+/)?webhooks/[^/]+/)[^/]+")
SHOWN = {"include", "page_size", "after", "sort", "type", "include_total_count", "wait"}


@dataclass(frozen=True)
class Entry:
    """One request. `status` is None where no answer was given; `at` in seconds since 1970."""

    op: str
    method: str
    path: str
    query: dict[str, str]
    status: int | None
    user_agent: str
    at: float
    seconds: float


class Journal:
    """The newest requests, oldest of them first."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=MOST)

    def note(self, request: web.BaseRequest, op: str, status: int | None, began: float) -> None:
        """`began` as `time.time()` gave it."""
        entry = Entry(
            op=op,
            method=request.method,
            path=WEBHOOK_TOKEN.sub(r"\1***", request.path),
            query={key: value for key, value in request.query.items() if key in SHOWN},
            status=status,
            user_agent=request.headers.get("User-Agent", ""),
            at=began,
            seconds=time.time() - began,
        )
        self._entries.append(entry)

    def entries(self) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self._entries]

    def clear(self) -> None:
        self._entries.clear()
