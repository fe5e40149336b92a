"""How often a webhook may be called: so many times in a window that opens with the first call."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class Window:
    """`limit` calls in `seconds`; without a limit nothing is refused."""

    def __init__(
        self, limit: int | None, seconds: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._seconds = seconds
        self._now = now
        self._ends = 0.0
        self._used = 0

    def spend(self) -> bool:
        """Whether one more call is allowed; if so it is counted."""
        if self._now() >= self._ends:
            self._ends, self._used = self._now() + self._seconds, 0
        if self._limit is not None and self._used >= self._limit:
            return False
        self._used += 1
        return True

    def left(self) -> float:
        """Seconds until the window closes."""
        return max(0.001, self._ends - self._now())

    def headers(self) -> dict[str, str]:
        if self._limit is None:
            return {}
        return {
            "X-RateLimit-Limit": str(self._limit),
            "X-RateLimit-Remaining": str(self._limit - self._used),
            "X-RateLimit-Reset": f"{time.time() + self.left():.3f}",
            "X-RateLimit-Reset-After": f"{self.left():.3f}",
            "X-RateLimit-Bucket": "sandbox",
        }

    def refusal_headers(self, seconds: float) -> dict[str, str]:
        """Of a 429; Retry-After is in whole seconds there."""
        return {
            **self.headers(),
            "Retry-After": str(math.ceil(seconds)),
            "X-RateLimit-Scope": "user",
        }
