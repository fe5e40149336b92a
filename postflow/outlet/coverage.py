"""Which bytes of a file have left us, however they were asked for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right


class Coverage:
    """A set of byte positions, kept as sorted intervals that neither touch nor overlap."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        self._covered = 0

    def __len__(self) -> int:
        """Number of intervals."""
        return len(self._starts)

    @property
    def covered(self) -> int:
        """Number of different bytes."""
        return self._covered

    def add(self, start: int, stop: int) -> None:
        """Include the bytes from `start` up to, not including, `stop`."""
        if start >= stop:
            return
        first = bisect_left(self._stops, start)
        last = bisect_right(self._starts, stop)
        if first < last:
            start = min(start, self._starts[first])
            stop = max(stop, self._stops[last - 1])
        known = sum(self._stops[first:last]) - sum(self._starts[first:last])
        self._starts[first:last] = [start]
        self._stops[first:last] = [stop]
        self._covered += stop - start - known
