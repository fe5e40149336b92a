"""Leaky buckets, one for each operation and user, as Frame.io documents them."""

from __future__ import annotations

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

    def headers(self) -> dict[str, str]:
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-window": str(self.window),
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
