"""When the answer to a Discord post may have been lost; only such a message may be there twice."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from postflow.sandbox import Sandbox

BEFORE = 2.0
AFTER = 0.5


class Silences:
    """`cut`: how many runs were killed or stopped; `unanswered`: posts that got no good answer."""

    def __init__(self) -> None:
        self._spans: list[tuple[float, float]] = []
        self._posts: set[float] = set()
        self.cut = 0

    @property
    def unanswered(self) -> int:
        return len(self._posts)

    def run_cut_short(self, since: float) -> None:
        """A run was killed or stopped after that time, and has ended by now."""
        self._spans.append((since - BEFORE, time.time() + AFTER))
        self.cut += 1

    def note_posts(self, world: Sandbox) -> None:
        """Look through the requests so far."""
        for request in world.requests():
            if request["op"] == "discord.post" and (request["status"] or 500) >= 500:
                self._posts.add(request["at"])

    def explain(self, message: Mapping[str, Any]) -> bool:
        """May the answer have been lost when this message was posted?"""
        posted = datetime.fromisoformat(message["timestamp"]).timestamp()
        spans = [*self._spans, *((at - AFTER, at + AFTER) for at in self._posts)]
        return any(begin <= posted <= end for begin, end in spans)
