"""What has left the media server, counted as it leaves."""

from __future__ import annotations

import threading

from postflow.models import Moment

from .coverage import Coverage

USER_AGENTS = 8
USER_AGENT_LENGTH = 200


class Served(Moment):
    """What was fetched of one exposure. `bytes_covered` counts each byte of the file once,
    `bytes_sent` as often as it was sent; sent means handed to the kernel.
    """

    bytes_covered: int
    bytes_sent: int
    total: int
    requests: int
    changed: bool
    user_agents: tuple[str, ...]


class Tally:
    """Counts in the server's thread, read from any other."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._lock = threading.Lock()
        self._coverage = Coverage()
        self._sent = 0
        self._requests = 0
        self._user_agents: dict[str, None] = {}

    def request(self, user_agent: str) -> bool:
        """Count a request; is its user agent a new one?"""
        known = user_agent[:USER_AGENT_LENGTH]
        with self._lock:
            self._requests += 1
            new = known not in self._user_agents
            self._user_agents.pop(known, None)
            self._user_agents[known] = None
            if len(self._user_agents) > USER_AGENTS:
                self._user_agents.pop(next(iter(self._user_agents)))
            return new

    def sent(self, start: int, stop: int) -> None:
        """Count the bytes from `start` up to, not including, `stop`."""
        with self._lock:
            self._coverage.add(start, stop)
            self._sent += stop - start

    def snapshot(self, *, changed: bool) -> Served:
        with self._lock:
            return Served(
                bytes_covered=self._coverage.covered,
                bytes_sent=self._sent,
                total=self._total,
                requests=self._requests,
                changed=changed,
                user_agents=tuple(self._user_agents),
            )
