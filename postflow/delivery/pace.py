"""How quickly a clip leaves, noted in the ledger now and then, for `postflow status` elsewhere."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from .record import DeliveryRecord

# Seconds: between two notes, that a rate is an average of, and that a note may hold up a transfer.
PAUSE = 3.0
WINDOW = 15.0
LONGEST = 1.0


class Pace:
    """Called with the bytes that have left so far. At most one note is under way at a time."""

    def __init__(
        self, record: DeliveryRecord, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._record = record
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()
        self._noted: tuple[int, float] | None = None
        self._noted_at = -PAUSE
        self._noting: asyncio.Task[None] | None = None

    async def __call__(self, sent: int) -> None:
        rate = self._rate(sent)
        if self._clock() - self._noted_at < PAUSE or (self._noting and not self._noting.done()):
            return
        self._noted_at = self._clock()
        if self._noted == (sent, rate) == (sent, 0.0):  # it stands still, and that is noted
            return
        self._noted = sent, rate
        self._noting = asyncio.create_task(self._record.note_progress(sent, rate), name="pace")
        await asyncio.wait([self._noting], timeout=LONGEST)

    def _rate(self, sent: int) -> float:
        """Bytes a second, of the last seconds."""
        now = self._clock()
        self._seen.append((now, sent))
        while self._seen[0][0] < now - WINDOW:
            self._seen.popleft()
        began, before = self._seen[0]
        return (sent - before) / (now - began) if now > began else 0.0
