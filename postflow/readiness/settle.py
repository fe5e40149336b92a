"""When a file has stood still for long enough."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from postflow.models import Moment

OBSERVATIONS = 3
LONGEST_QUIET = 600.0
PLATEAUS = 3


class Standing(Moment):
    """How still a file stands. Times in seconds.

    `still` spans the equal observations, so it grows by looking, not by waiting. `needed` is the
    quiet time asked of the file's folder.
    """

    settled: bool
    equal: int
    still: float
    needed: float


@dataclass(slots=True)
class _Streak:
    """Equal observations in a row."""

    size: int
    mtime_ns: int
    since: float
    last: float
    equal: int = 1

    @property
    def span(self) -> float:
        return self.last - self.since


class Settler:
    """Judges stillness from observations alone; the time (monotonic seconds) comes with each.

    Settled: at least three equal observations that span the quiet time. A folder in which a
    growing file once paused asks for three times the longest pause seen, up to ten minutes.
    """

    def __init__(self, quiet: float, *, cap: float = LONGEST_QUIET) -> None:
        self._quiet = quiet
        self._cap = max(cap, quiet)
        self._streaks: dict[str, _Streak] = {}
        self._plateaus: dict[PurePosixPath, float] = {}

    def observe(self, relpath: str, size: int, mtime_ns: int, now: float) -> Standing:
        """Take in one observation of a file."""
        streak = self._streaks.get(relpath)
        if streak is not None and (streak.size, streak.mtime_ns) == (size, mtime_ns):
            streak.last, streak.equal = now, streak.equal + 1
        else:
            self._learn(relpath, streak, size)
            streak = self._streaks[relpath] = _Streak(size, mtime_ns, now, now)
        return self._standing(relpath, streak)

    def due(self, relpath: str) -> float:
        """When the next observation is worth its while: half a quiet time after the last one."""
        streak = self._streaks[relpath]
        needed = self.needed(relpath)
        return max(streak.last, min(streak.last + needed / 2, streak.since + needed))

    def needed(self, relpath: str) -> float:
        """The quiet time in force for a file's folder."""
        plateau = self._plateaus.get(PurePosixPath(relpath).parent, 0.0)
        return min(self._cap, max(self._quiet, PLATEAUS * plateau))

    def forget(self, relpath: str) -> None:
        """Start anew if the file is seen again."""
        self._streaks.pop(relpath, None)

    def _standing(self, relpath: str, streak: _Streak) -> Standing:
        needed = self.needed(relpath)
        settled = streak.equal >= OBSERVATIONS and streak.span >= needed
        return Standing(settled=settled, equal=streak.equal, still=streak.span, needed=needed)

    def _learn(self, relpath: str, before: _Streak | None, size: int) -> None:
        """A pause that ended in growth was a plateau; one beyond the cap was another export."""
        if before is None or size < before.size or before.span > self._cap:
            return
        folder = PurePosixPath(relpath).parent
        self._plateaus[folder] = max(self._plateaus.get(folder, 0.0), before.span)
