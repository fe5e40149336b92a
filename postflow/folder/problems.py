"""What in a watched folder cannot be read or taken in; a person hears of each once."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterable
from pathlib import Path

from postflow.errors import PostFlowError
from postflow.media.containers.reading import FAULT, our_fault
from postflow.media.probe import printable
from postflow.media.sighting import Problem, Scanned
from postflow.models import Once

from .pending import Waiting

log = logging.getLogger(__name__)

# A moment later all may be well, and the next look finds out.
PASSING = frozenset({"file.changing", "file.missing", "volume.hangs"})
HINT = "Other clips go on. As soon as it is mended, this one goes by itself."


class Problems:
    """What the scans of a folder could not read, or not take up by its name."""

    def __init__(self) -> None:
        self._told: Once[Problem] = Once()

    @property
    def lasting(self) -> tuple[Problem, ...]:
        return tuple(self._told.lasting)

    def begun_in(self, scan: Scanned) -> tuple[Problem, ...]:
        """Those that began; all are logged, and those that are over."""
        begun, over = self.news(scan)
        for problem in begun:
            log.warning("%s: %s", problem.where, problem.what)
        for problem in over:
            log.info("%s: this is over: %s", problem.where, problem.what)
        return tuple(begun)

    def news(self, scan: Scanned) -> tuple[list[Problem], list[Problem]]:
        """The problems that began, and those that are over, which only a full scan can tell."""
        begun = [each for each in scan.problems if self._told.begins(each)]
        over = [each for each in self.lasting if scan.full and _is_over(each, scan.problems)]
        self._told.ends(*over)
        return begun, sorted(over, key=lambda each: each.where)


def _is_over(problem: Problem, found: tuple[Problem, ...]) -> bool:
    """Not found again, and not in a part that could not be looked at."""
    hidden = any(problem.where.startswith(f"{each.where}/") for each in found if each.unread)
    return problem not in found and not hidden


class FailedFiles:
    """Files that could not be judged or entered, and why, until they are entered, changed or
    gone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reasons: dict[str, str] = {}
        self._told: Once[str] = Once()

    def add(self, relpath: str, error: Exception) -> None:
        """Entering a file that was ready has failed."""
        if not isinstance(error, PostFlowError):
            reason = our_fault(error).reason
            if self._reasons.get(relpath) != reason:
                log.error("A fault of our own, at %s:", printable(relpath), exc_info=error)
            self._reasons[relpath] = reason
            return
        log.warning("%s", error)
        if error.code.startswith("file.") and error.code not in PASSING:
            self._reasons[relpath] = f"could not be taken in: {error}"

    def forget(self, relpaths: Iterable[str]) -> None:
        """These are entered, changed or gone."""
        for relpath in relpaths:
            self._reasons.pop(relpath, None)
            self._told.ends(relpath)

    def among(self, waiting: Iterable[Waiting]) -> list[Waiting]:
        """Those that wait, with the reason that time alone does not mend."""
        return [self._as_failed(each) for each in waiting]

    def begun(self, waiting: Iterable[Waiting]) -> tuple[Problem, ...]:
        """What a person has not been told yet."""
        return tuple(
            self._problem(each.relpath, each.reason)
            for each in waiting
            if each.unreadable and self._told.begins(each.relpath, each.reason)
        )

    def _problem(self, relpath: str, why: str) -> Problem:
        path = self._folder / relpath
        hint = HINT
        if FAULT in why:
            by_hand = f"postflow upload {shlex.quote(str(path))}"
            hint = f"Other clips go on. Should it be finished as it is: {by_hand}"
        return Problem(where=printable(path), what=f"It {why.rstrip('.')}. {hint}")

    def _as_failed(self, waiting: Waiting) -> Waiting:
        reason = self._reasons.get(waiting.relpath)
        if reason is None:
            return waiting
        return waiting.model_copy(update={"reason": reason, "refused": True, "unreadable": True})
