"""When a file has stood still for long enough."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from postflow.models import Moment

OBSERVATIONS = 3
LONGEST_QUIET = 600.0
PLATEAUS = 3
LEARNED_FOR = 6 * 3600.0


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
    growing file once paused asks for three times that pause, up to ten minutes, for six hours.
    """

    def __init__(self, quiet: float, *, cap: float = LONGEST_QUIET) -> None:
        self._quiet = quiet
        self._cap = max(cap, quiet)
        self._streaks: dict[str, _Streak] = {}
        self._plateaus: dict[PurePosixPath, tuple[float, float]] = {}
        self._now = 0.0

    def observe(
        self, relpath: str, size: int, mtime_ns: int, now: float, *, refused: bool = False
    ) -> Standing:
        """Take in one observation of a file. `refused`: as it was it would never have gone."""
        self._now = now
        streak = self._streaks.get(relpath)
        if streak is not None and (streak.size, streak.mtime_ns) == (size, mtime_ns):
            streak.last, streak.equal = now, streak.equal + 1
        else:
            if not refused:
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
        plateau = self._learned(PurePosixPath(relpath).parent)
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
        if before is None or size <= before.size or before.span > self._cap:
            return
        folder = PurePosixPath(relpath).parent
        if before.span >= self._learned(folder):
            self._plateaus[folder] = before.span, self._now

    def _learned(self, folder: PurePosixPath) -> float:
        """The longest pause that is remembered."""
        plateau, at = self._plateaus.get(folder, (0.0, 0.0))
        return plateau if self._now - at <= LEARNED_FOR else 0.0
