"""When Frame.io is asked how a transfer stands, and when it stands still."""

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


VERDICTS = 4
"""Each so manieth question after the last byte is for the upload's status, which alone tells of a
failure; the others are for the file, which tells its size too."""


class Finishing:
    """How long Frame.io takes from the last byte to a whole file, as earlier clips showed: asked
    sooner, it would have to be asked again. In units of `poll`.
    """

    LEAST, MOST, STEP = 0.2, 3.0, 0.5

    def __init__(self) -> None:
        self.polls = self.LEAST

    def learn(self, *, too_soon: bool) -> None:
        grown = self.polls + self.STEP if too_soon else 0.97 * self.polls
        self.polls = min(self.MOST, max(self.LEAST, grown))


class Polling:
    """When to ask Frame.io about one transfer: seldom until every byte has left us."""

    def __init__(
        self,
        media: MediaFile,
        policy: RetryPolicy,
        finishing: Finishing,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        now = clock()
        self._clock = clock
        self._finishing = finishing
        self._asked = 0
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
            self._all_left_at = now
            self._next = now + self._finishing.polls * self._policy.poll
        if now < self._next and not self._stands_still:
            return False
        self._next = now + self._pause
        if self._all_left_at is not None:
            self._asked += 1
        return True

    @property
    def wants_verdict(self) -> bool:
        """Is the upload's status to be asked for, and not the file?"""
        return self._all_left_at is None or self._asked % VERDICTS == VERDICTS - 1

    def arrived(self, *, is_whole: bool) -> None:
        """What the last question came to."""
        if self._asked == 1:
            self._finishing.learn(too_soon=not is_whole)

    @property
    def wait(self) -> float:
        """Seconds until the next look at what has left, or until the next question."""
        if self._all_left_at is None:
            return self._policy.poll
        return min(self._policy.poll, max(0.0, self._next - self._clock()))

    def refuse_standstill(self, unheard: Retry | None = None) -> None:
        """Raises Retry when no byte moved for `stall`, or nothing came of all bytes for `total`:
        then `unheard`, if that is why nobody knows.
        """
        if not self._stands_still:
            return
        if self._all_left_at is None:
            raise Retry(
                "No byte of {name} has left for {seconds:.0f} s.",
                hint="It is asked again. Check the studio's uplink with `postflow check`.",
                code="frameio.stalled",
                name=self._media.name,
                seconds=self._policy.stall,
            )
        raise unheard or Retry(
            "Frame.io has had every byte of {name} for {seconds:.0f} s and has not finished it.",
            hint="It is asked again; see https://status.frame.io if it repeats.",
            code="frameio.unfinished",
            name=self._media.name,
            seconds=self._policy.total,
        )

    def becomes_late(self) -> bool:
        """True once, when LATE seconds have passed since the last byte left."""
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
