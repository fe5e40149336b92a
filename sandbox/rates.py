"""Rate limits: Frame.io's leaky buckets, one for each operation and user, and Discord's windows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple


class Rate(NamedTuple):
    """So many calls in so many seconds."""

    limit: int
    seconds: float


@dataclass(frozen=True)
class Allowance:
    """What a bucket says to one call. `window` in milliseconds."""

    granted: bool
    limit: int
    remaining: int
    window: int

    def headers(self, unit: str = "ms") -> dict[str, str]:
        if unit == "absent":
            return {}
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-window": f"{self.window if unit == 'ms' else self.window / 1000:g}",
        }


@dataclass
class _Bucket:
    level: float
    at: float


class Buckets:
    """All buckets. `scale` shortens every window; without `enforced` nothing is refused."""

    def __init__(
        self,
        *,
        enforced: bool = True,
        scale: float = 1,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._enforced = enforced
        self._scale = scale
        self._now = now
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def spend(self, where: str, user: str, rate: Rate) -> Allowance:
        """Pour one call in, if it still fits."""
        bucket = self._leaked(where, user, rate)
        fits = bucket.level <= rate.limit - 1
        if fits:
            bucket.level += 1
        return self._allowance(fits or not self._enforced, bucket, rate)

    def peek(self, where: str, user: str, rate: Rate) -> Allowance:
        """The same without spending."""
        bucket = self._leaked(where, user, rate)
        return self._allowance(bucket.level <= rate.limit - 1, bucket, rate)

    def fill(self, where: str, user: str, rate: Rate) -> Allowance:
        """Spend all there is, as if others had."""
        bucket = self._leaked(where, user, rate)
        bucket.level = float(rate.limit)
        return self._allowance(False, bucket, rate)

    def clear(self) -> None:
        self._buckets.clear()

    def _leaked(self, where: str, user: str, rate: Rate) -> _Bucket:
        now = self._now()
        bucket = self._buckets.setdefault((where, user), _Bucket(0.0, now))
        leak = (now - bucket.at) * rate.limit * self._scale / rate.seconds
        bucket.level, bucket.at = max(0.0, bucket.level - leak), now
        return bucket

    def _allowance(self, granted: bool, bucket: _Bucket, rate: Rate) -> Allowance:
        window = max(1, round(rate.seconds * 1000 / self._scale))
        return Allowance(granted, rate.limit, max(0, int(rate.limit - bucket.level)), window)


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
