"""The files that are not ready yet, and why."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import SkipValidation

from postflow.language import N_, Bytes
from postflow.media.containers.reading import NotWhole, Unknown, Verdict, Whole, our_fault
from postflow.media.containers.whole import verdict
from postflow.media.sighting import Sighting
from postflow.models import FrozenModel, Once

OBSERVATIONS = 3
LONGEST_QUIET = 600.0
PLATEAUS = 3
LEARNED_FOR = 6 * 3600.0


class Standing(FrozenModel):
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
        """Take in one observation of a file. `refused`: it was refused as it was before."""
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


log = logging.getLogger(__name__)

OVERDUE = 3600.0  # seconds after which a person should hear of a file
LONGER = 6.0

Judge = Callable[[Path, tuple[int, int]], Verdict]


class Ready(FrozenModel):
    """Settled and whole. `waited` is in seconds since the file was first looked at."""

    sighting: Sighting
    waited: float


class Waiting(FrozenModel):
    """Not ready. `reason` completes the sentence "The file …"; `waited` as above.

    `refused`: it stands still and is not whole, so that time alone does not make it ready.
    `unreadable`: it cannot be looked at, which a person should hear at once.
    """

    relpath: str
    reason: SkipValidation[str]
    waited: float
    refused: bool = False
    unreadable: bool = False


@dataclass(slots=True)
class _Pending:
    arrived: float
    due: float
    verdict: NotWhole | Unknown | None = None
    judged: float = 0.0
    reason: str = N_("has just been seen")


class PendingFiles:
    """Looks at each waiting file again and again until it is ready; never sends one away.

    `quiet` is the quiet time in seconds, `longest_quiet` what it may grow to. A file whose
    content cannot be judged has to stand still six times as long. `accept_open_ended` treats a
    sound file without a stated end like one that cannot be judged, instead of as unfinished.
    """

    def __init__(
        self,
        quiet: float,
        *,
        longest_quiet: float = LONGEST_QUIET,
        accept_open_ended: bool = False,
        judge: Judge = verdict,
    ) -> None:
        self._settler = Settler(quiet, cap=longest_quiet)
        self._unknown_quiet = LONGER * quiet
        self._accept_open_ended = accept_open_ended
        self._judge = judge
        self._files: dict[str, _Pending] = {}
        self._told: Once[str] = Once()

    def observe(self, sighting: Sighting, now: float) -> Ready | Waiting:
        """Take in a sighting. Blocking: a settled file is opened and a little of it read."""
        relpath = sighting.relpath
        file = self._files.setdefault(relpath, _Pending(arrived=now, due=now))
        refused = isinstance(file.verdict, NotWhole)
        standing = self._settler.observe(
            relpath, sighting.size, sighting.mtime_ns, now, refused=refused
        )
        if not standing.settled:
            self._keep_settling(file, sighting, standing)
        elif self._may_go(file, sighting, standing, now):
            self.forget(relpath)
            return Ready(sighting=sighting, waited=now - file.arrived)
        return self._waiting(relpath, file, now)

    def forget(self, relpath: str) -> None:
        """The file is gone, or on its way, or not ours."""
        self._files.pop(relpath, None)
        self._told.ends(relpath)
        self._settler.forget(relpath)

    def overdue(self, now: float) -> list[Waiting]:
        """The files that have become overdue; each is named once."""
        return [
            self._waiting(relpath, file, now)
            for relpath, file in self._files.items()
            if now - file.arrived >= OVERDUE and self._told.begins(relpath)
        ]

    def next_scan(self) -> float | None:
        """When the next sighting is worth its while (monotonic seconds); None if nothing waits."""
        return min((file.due for file in self._files.values()), default=None)

    def _keep_settling(self, file: _Pending, sighting: Sighting, standing: Standing) -> None:
        file.verdict = None
        file.due = self._settler.due(sighting.relpath)
        file.reason = (
            N_(
                "has stood still for {still:.0f} of {needed:.0f} seconds",
                still=standing.still,
                needed=standing.needed,
            )
            if standing.equal > 1
            else N_("has just changed, and is {size} now", size=Bytes(sighting.size))
        )

    def _may_go(self, file: _Pending, sighting: Sighting, standing: Standing, now: float) -> bool:
        """Judge at most once a quiet time: a file that is being filled in may look unchanged."""
        if file.verdict is None or now - file.judged >= standing.needed:
            found = self._judged(file, sighting)
            if isinstance(found, Whole):
                return True
            file.verdict, file.judged, file.reason = found, now, found.reason
        file.due = file.judged + standing.needed
        if isinstance(file.verdict, NotWhole) and not self._tolerates(file.verdict):
            return False
        longer = max(self._unknown_quiet, standing.needed)
        file.reason = N_(
            "{odd}; it has to stand still for {seconds:.0f} seconds",
            odd=file.verdict.reason,
            seconds=longer,
        )
        return standing.still >= longer

    def _judged(self, file: _Pending, sighting: Sighting) -> Verdict:
        try:
            return self._judge(sighting.path, (sighting.size, sighting.mtime_ns))
        except Exception as error:
            found = our_fault(error)
            if file.reason != found.reason:
                log.exception("A fault of our own, at %s:", sighting.relpath)
            return found

    def _tolerates(self, found: NotWhole) -> bool:
        return found.open_ended and self._accept_open_ended

    def _waiting(self, relpath: str, file: _Pending, now: float) -> Waiting:
        found = file.verdict if isinstance(file.verdict, NotWhole) else None
        return Waiting(
            relpath=relpath,
            reason=file.reason,
            waited=now - file.arrived,
            refused=found is not None and not self._tolerates(found),
            unreadable=found is not None and found.unreadable,
        )
