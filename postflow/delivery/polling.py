"""When to ask Frame.io how a transfer stands, and when it has stood still for too long."""

from __future__ import annotations

import time
from collections.abc import Callable

from postflow.errors import Retry
from postflow.models import MediaFile
from postflow.outlet import Served
from postflow.settings import RetryPolicy

SELDOM = 10
"""Times `poll`: nothing can be complete before the last byte left us, so few looks are enough."""

LATE = 1800.0
"""Seconds after the last byte for which nobody need hear that Frame.io has not finished."""

SLOWER = 1 / 10
"""Of the time for which Frame.io has had every byte: what takes long may be looked at less often.
"""


class Polling:
    """Of one transfer. Bytes are ours to count, so Frame.io is asked as seldom as will do."""

    def __init__(
        self,
        media: MediaFile,
        policy: RetryPolicy,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        now = clock()
        self._clock = clock
        self._media = media
        self._policy = policy
        self._sent = 0
        self._moved_at = now
        self._all_left_at: float | None = None
        self._next = now + SELDOM * policy.poll
        self._was_late = False

    def is_time(self, served: Served) -> bool:
        """Is Frame.io to be asked now? Also once more before it counts as standing still."""
        now = self._clock()
        if served.bytes_sent != self._sent:
            self._moved_at, self._sent = now, served.bytes_sent
        if self._all_left_at is None and served.bytes_covered >= self._media.size:
            self._all_left_at = self._next = now
        if now < self._next and not self._stands_still:
            return False
        self._next = now + self._pause
        return True

    def refuse_standstill(self, unheard: Retry | None = None) -> None:
        """Raises Retry when no byte moved for `stall`, or nothing came of all bytes for `total`:
        then `unheard`, if that is why nobody knows.
        """
        if not self._stands_still:
            return
        if self._all_left_at is None:
            raise Retry(
                f"Frame.io stopped fetching {self._media.name} for {self._policy.stall:.0f} s.",
                hint="It is asked again. Check the studio's uplink with `postflow check`.",
                code="frameio.stalled",
            )
        raise unheard or Retry(
            f"Frame.io has had every byte of {self._media.name} for {self._policy.total:.0f} s "
            "and has not finished it.",
            hint="It is asked again; see https://status.frame.io if it repeats.",
            code="frameio.unfinished",
        )

    def becomes_late(self) -> bool:
        """Is it time that a person hears of it? Once."""
        is_late = self._all_left_at is not None and self._clock() - self._all_left_at > LATE
        becomes, self._was_late = is_late and not self._was_late, is_late
        return becomes

    @property
    def _pause(self) -> float:
        seldom = SELDOM * self._policy.poll
        if self._all_left_at is None:
            return seldom
        waited = self._clock() - self._all_left_at
        return min(seldom, max(self._policy.poll, SLOWER * waited))

    @property
    def _stands_still(self) -> bool:
        now = self._clock()
        if self._all_left_at is None:
            return now - self._moved_at > self._policy.stall
        return now - self._all_left_at > self._policy.total
