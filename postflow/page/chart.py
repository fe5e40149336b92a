"""Clips and bytes a day of the last weeks, as bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from postflow.ledger import Ledger, queries
from postflow.models import FrozenModel

DAYS = 28
HEIGHT = 48
STEP = 10
LEAST = 1.5


class Day(FrozenModel):
    """What was delivered on one day, by this machine's calendar."""

    date: date
    clips: int
    bytes: int


class Chart(FrozenModel):
    """`days`: the oldest first, each of them, also those without a clip."""

    days: tuple[Day, ...]

    @property
    def width(self) -> int:
        return len(self.days) * STEP

    @property
    def height(self) -> int:
        return HEIGHT

    @property
    def most_clips(self) -> int:
        return max(day.clips for day in self.days)

    @property
    def most_bytes(self) -> int:
        return max(day.bytes for day in self.days)

    @property
    def clips(self) -> tuple[tuple[int, float, Day], ...]:
        """Each day's bar: where it stands, and how high it is."""
        return self._bars([day.clips for day in self.days])

    @property
    def bytes(self) -> tuple[tuple[int, float, Day], ...]:
        return self._bars([day.bytes for day in self.days])

    def _bars(self, values: Sequence[int]) -> tuple[tuple[int, float, Day], ...]:
        most = max(values, default=0) or 1
        heights = [max(HEIGHT * value / most, LEAST) if value else 0.0 for value in values]
        return tuple(
            (place * STEP, round(height, 1), day)
            for place, (height, day) in enumerate(zip(heights, self.days, strict=True))
        )


def read(ledger: Ledger, studio: str) -> Chart:
    """Blocking."""
    today = ledger.now().astimezone().date()
    first = today - timedelta(days=DAYS - 1)
    clips: Counter[date] = Counter()
    size: Counter[date] = Counter()
    begin = datetime.combine(first, time.min).astimezone()
    for at, length in queries.delivered_since(ledger, studio, begin):
        day = at.astimezone().date()
        clips[day] += 1
        size[day] += length
    dates = (first + timedelta(days=each) for each in range(DAYS))
    return Chart(days=tuple(Day(date=d, clips=clips[d], bytes=size[d]) for d in dates))
