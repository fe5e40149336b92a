"""Staying inside Frame.io's rate limits, learnt from the headers of its answers.

Frame.io counts per user and endpoint in a leaky bucket: `limit` calls fit in, and one leaks out
every `window / limit`. We keep the same bucket on our side and wait before it would overflow.

Processes and hosts of one ledger that sign in as the same user know of each other: of so many
`sharers` each keeps to its part. Of other programs nobody tells us. So a 429 halves our own rate,
which then recovers slowly: all who do so end up sharing what there is.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from .endpoints import FOLDER_PAGE, Endpoint

_HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-window")
_SETTLED = 1e-6
# Callers ahead may give up, and headers may tell of other rates, while one waits.
_LOOK_AGAIN = 0.5
# From nothing to the documented rate in so many seconds; never slower than that part of it.
_RECOVERY = 60.0
_SLOWEST = 1 / 8
# Seconds. Who names a longer time is in error, and would stop us for good.
_LONGEST = 3600.0


class Bucket:
    """One endpoint's calls, let through in the order they came. No lock: any loop may use it."""

    def __init__(self, calls: int, window: float) -> None:
        self.limit = calls
        self.window = window
        self.sharers = 1
        self._level = 0.0
        self._seen = time.monotonic()
        self._queue: deque[object] = deque()
        self._share = 1.0
        self._shared_at = 0.0
        self._halved_until = 0.0
        self._closed_until = 0.0

    async def slot(self) -> None:
        """Wait until one more call fits, and count it."""
        ticket = object()
        self._queue.append(ticket)
        try:
            while True:
                pause = self._pause_of(ticket)
                if not pause:
                    break
                await asyncio.sleep(min(pause, _LOOK_AGAIN))
            self._level += 1
        finally:
            self._queue.remove(ticket)

    def share_with(self, sharers: int) -> None:
        """Each of so many has its part from now on: of a full bucket ours is full, no fuller."""
        self._leak()
        self.sharers = sharers
        self._level = min(self._level, self.capacity)

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take over what Frame.io counts: others may be using the same account."""
        try:
            limit, remaining, window = (int(headers[name]) for name in _HEADERS)
        except (KeyError, ValueError):
            return
        if limit < 1 or remaining < 0 or not 1 <= window <= _LONGEST * 1000:
            return
        self._leak()
        self.limit, self.window = limit, window / 1000
        self._level = max(self._level, self.capacity - remaining)

    def close(self, headers: Mapping[str, str]) -> None:
        """No call for as long as a refusal asks for."""
        self._closed_until = max(self._closed_until, time.monotonic() + _retry_after(headers))

    def overflowed(self) -> None:
        """Frame.io answered 429: whatever we thought, the bucket is full, and we take half of it.

        Calls that were under way together count once. Chance keeps those apart who were refused
        together.
        """
        self._leak()
        now = time.monotonic()
        if now >= self._halved_until:
            self._share, self._shared_at = max(_SLOWEST, self.share / 2), now
            self._halved_until = now + self.interval
        self._level = max(self._level, self.capacity + random.random())

    @property
    def free(self) -> int:
        """How many calls would go out at once."""
        self._leak()
        room = math.floor(self.capacity - self._level - len(self._queue) + _SETTLED)
        return 0 if self.closed_for else max(0, room)

    @property
    def capacity(self) -> float:
        """How many calls may go out at once: our part of Frame.io's bucket."""
        return max(1.0, self.limit / self.sharers)

    @property
    def share(self) -> float:
        """Which part of our rate we allow ourselves just now."""
        return min(1.0, self._share + (time.monotonic() - self._shared_at) / _RECOVERY)

    @property
    def interval(self) -> float:
        """Seconds until one more call of ours fits into a full bucket."""
        return self.window / self.limit / self.share * self.sharers

    @property
    def closed_for(self) -> float:
        """Seconds for which Frame.io asked not to be asked."""
        return max(0.0, self._closed_until - time.monotonic())

    def _pause_of(self, ticket: object) -> float:
        self._leak()
        excess = self._level + self._queue.index(ticket) + 1 - self.capacity
        return max(excess * self.interval if excess > _SETTLED else 0.0, self.closed_for)

    def _leak(self) -> None:
        now = time.monotonic()
        self._level = max(0.0, self._level - (now - self._seen) / self.interval)
        self._seen = now


class Pacing:
    """A bucket for each endpoint and account, and the largest page of a list that is taken."""

    def __init__(self, page_size: int = FOLDER_PAGE) -> None:
        self.page_size = page_size
        self._buckets: dict[tuple[Endpoint, str], Bucket] = {}
        self._sharers = 1
        self._called_at = -math.inf

    @property
    def sharers(self) -> int:
        """How many processes, ours among them, call Frame.io as the same user."""
        return self._sharers

    @sharers.setter
    def sharers(self, number: int) -> None:
        if number != self._sharers:
            self._sharers = number
            for bucket in self._buckets.values():
                bucket.share_with(number)

    @property
    def idle(self) -> float:
        """Seconds since the last call."""
        return time.monotonic() - self._called_at

    def bucket(self, endpoint: Endpoint, account_id: str) -> Bucket:
        self._called_at = time.monotonic()
        key = (endpoint, account_id)
        if key not in self._buckets:
            self._buckets[key] = Bucket(endpoint.calls, endpoint.window)
            self._buckets[key].sharers = self._sharers
        return self._buckets[key]

    def free(self, endpoint: Endpoint) -> int:
        """How many calls would go out at once, whichever account is asked."""
        met = (bucket.free for (each, _), bucket in self._buckets.items() if each == endpoint)
        return min(met, default=endpoint.calls)


def _retry_after(headers: Mapping[str, str]) -> float:
    """In seconds; Frame.io documents no such header, what stands before it may send one."""
    asked = _seconds(headers.get("retry-after", ""))
    return min(asked, _LONGEST) if math.isfinite(asked) else 0.0


def _seconds(asked: str) -> float:
    with contextlib.suppress(ValueError):
        return float(asked)
    with contextlib.suppress(ValueError, TypeError):
        return (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds()
    return 0.0
