"""At most so many bytes a second leave this process, shared fairly by the clips on their way.

Our own, since clips are sent by threads and by the media server's loop, all under one limit:
aiolimiter belongs to one loop, pyrate-limiter keeps an entry for each byte, limits does not wait,
and throttled-py has no queue, so that a clip may wait for ever.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

TURN = 0.05
"""Seconds of the whole limit that one turn takes."""

LEAST, MOST = 1 << 10, 1 << 20
"""Bytes of a turn, whatever the limit."""

MOST_FREE = 4 << 20
"""Bytes of a turn where there is no limit just now: the next hour may have one."""

SLACK = 0.1
"""Seconds by which a turn may be late and be caught up. What is not used is not kept for later."""


class Bandwidth:
    """Hands out turns one after the other, to any thread or loop.

    `allowed` tells the bytes a second that may leave now, None for all; it is asked at every turn.
    """

    def __init__(
        self,
        allowed: Callable[[], float | None] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowed = allowed
        self._clock = clock
        self._lock = threading.Lock()
        self._used_until = float("-inf")

    @property
    def is_limited(self) -> bool:
        """Now, or at another hour."""
        return self._allowed is not None

    def turn(self, wanted: int) -> tuple[int, float]:
        """How many bytes of `wanted` may leave, and after how many seconds. They count as left."""
        if self._allowed is None:
            return wanted, 0.0
        with self._lock:
            rate, now = self._allowed(), self._clock()
            if rate is None:
                return min(wanted, MOST_FREE), 0.0
            count = min(wanted, max(LEAST, min(MOST, int(rate * TURN))))
            begins = now if now - self._used_until > SLACK else self._used_until
            self._used_until = begins + count / rate
            return count, max(0.0, self._used_until - now)


class LoopShare:
    """One clip's share, in one loop. It waits for one turn at a time, however many its connections
    are: so no clip gets more than another one.
    """

    def __init__(self, bandwidth: Bandwidth) -> None:
        self._bandwidth = bandwidth
        self._waiting = asyncio.Lock()

    async def take(self, wanted: int) -> int:
        """How many bytes of `wanted` may leave now. Who is cancelled has had its turn."""
        if not self._bandwidth.is_limited:
            return wanted
        async with self._waiting:
            count, seconds = self._bandwidth.turn(wanted)
            await asyncio.sleep(seconds)
        return count


class ThreadShare:
    """The bandwidth for a clip that is sent by threads; `stop`, when set, ends their waiting."""

    def __init__(self, bandwidth: Bandwidth, stop: threading.Event) -> None:
        self._bandwidth = bandwidth
        self._stop = stop
        self._waiting = threading.Lock()

    def take(self, wanted: int) -> int:
        """How many bytes of `wanted` may leave now, unless `stop` is set."""
        if not self._bandwidth.is_limited:
            return wanted
        with self._waiting:
            count, seconds = self._bandwidth.turn(wanted)
            self._stop.wait(seconds)
        return count
