"""Files of a watched folder that cannot be looked at or entered; a person hears of each once."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterable
from pathlib import Path

from postflow.errors import PostFlowError
from postflow.media.containers.reading import FAULT, our_fault
from postflow.media.probe import printable
from postflow.media.sighting import Problem

from .pending import Waiting

log = logging.getLogger(__name__)

# A moment later all may be well, and the next look finds out.
PASSING = frozenset({"file.changing", "file.missing", "volume.hangs"})
HINT = "Other clips go on. As soon as it is mended, this one goes by itself."


class Stuck:
    """Why each could not be entered, until it is entered, changed or gone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reasons: dict[str, str] = {}
        self._told: dict[str, str] = {}

    def on(self, relpath: str, error: Exception) -> None:
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

    def free(self, relpaths: Iterable[str]) -> None:
        """These are entered, changed or gone."""
        for relpath in relpaths:
            self._reasons.pop(relpath, None)
            self._told.pop(relpath, None)

    def among(self, waiting: Iterable[Waiting]) -> list[Waiting]:
        """Those that wait, with the reason that time alone does not mend."""
        return [self._as_stuck(each) for each in waiting]

    def begun(self, waiting: Iterable[Waiting]) -> tuple[Problem, ...]:
        """What a person has not been told yet."""
        unreadable = {each.relpath: each.reason for each in waiting if each.unreadable}
        new = {path: why for path, why in unreadable.items() if self._told.get(path) != why}
        self._told |= new
        return tuple(self._problem(path, why) for path, why in new.items())

    def _problem(self, relpath: str, why: str) -> Problem:
        path = self._folder / relpath
        hint = HINT
        if FAULT in why:
            by_hand = f"postflow upload {shlex.quote(str(path))}"
            hint = f"Other clips go on. Should it be finished as it is: {by_hand}"
        return Problem(where=printable(path), what=f"It {why.rstrip('.')}. {hint}")

    def _as_stuck(self, waiting: Waiting) -> Waiting:
        reason = self._reasons.get(waiting.relpath)
        if reason is None:
            return waiting
        return waiting.model_copy(update={"reason": reason, "refused": True, "unreadable": True})
