"""What a scan found, on its way into the ledger."""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Iterable
from pathlib import Path

from postflow.errors import PostFlowError, printable
from postflow.language import N_, told
from postflow.ledger import AsyncLedger, ObservationState, Root, observations, registry
from postflow.media import volume
from postflow.media.containers.reading import FAULT, our_fault
from postflow.media.kinds import UNREAD, is_candidate
from postflow.media.probe import probe_media
from postflow.media.sighting import Problem, Scanned, Sighting
from postflow.models import Once

from .notices import ScanReport
from .pending import PendingFiles, Ready, Waiting
from .scanner import Scanner
from .survey import OTHER_ROOT

log = logging.getLogger(__name__)

# These pass by themselves, which the next scan finds out.
PASSING = frozenset({"file.changing", "file.missing", "volume.hangs"})
HINT = N_("Other clips go on. As soon as it is mended, this one goes by itself.")


class Problems:
    """What the scans of a folder could not read, or not take up by its name."""

    def __init__(self) -> None:
        self._told: Once[Problem] = Once()

    @property
    def lasting(self) -> tuple[Problem, ...]:
        return tuple(self._told.lasting)

    def begun_in(self, scan: Scanned) -> tuple[Problem, ...]:
        """The problems that began; they are logged, and those that are over."""
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
            self._reasons[relpath] = N_("could not be taken in: {why}", why=error.whole)

    def forget(self, relpaths: Iterable[str]) -> None:
        """These are entered, changed or gone."""
        for relpath in relpaths:
            self._reasons.pop(relpath, None)
            self._told.ends(relpath)

    def among(self, waiting: Iterable[Waiting]) -> list[Waiting]:
        """What waits, each with the reason that time alone does not mend."""
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
            hint = N_(
                "Other clips go on. Should it be finished as it is: {command}", command=by_hand
            )
        so = N_("It {why} {hint}") if why.endswith(".") else N_("It {why}. {hint}")
        return Problem(where=printable(path), what=N_(so, why=why, hint=hint))

    def _as_failed(self, waiting: Waiting) -> Waiting:
        reason = self._reasons.get(waiting.relpath)
        if reason is None:
            return waiting
        return waiting.model_copy(update={"reason": reason, "refused": True, "unreadable": True})


class Intake:
    """Of a folder whose marker is there. `entering`: so many ready clips are not in the ledger yet.

    `life`: which opening of the ledger this was made for; after another one it is made anew.
    """

    def __init__(
        self,
        ledger: AsyncLedger,
        root: Root,
        scanner: Scanner,
        pending: PendingFiles,
        problems: Problems,
        failed: FailedFiles,
    ) -> None:
        self.root = root
        self.scanner = scanner
        self.pending = pending
        self.life = ledger.ledger.lives
        self.entering = 0
        self._ledger = ledger
        self._problems = problems
        self._failed = failed
        self._noted: dict[str, str] = {}
        self._others: dict[str, int] | None = None

    async def take(self, result: Scanned, *, timeout: float) -> ScanReport:
        """Enter into the ledger what a scan found. Raises Retry `volume.hangs` when files cannot be
        read within `timeout` seconds.
        """
        problems = tuple(e for e in self._problems.begun_in(result) if e.what != OTHER_ROOT)
        clips = await self._observed(result, count=bool(problems))
        asking = volume.ask(lambda: [self.pending.observe(e, time.monotonic()) for e in clips])
        answers = await volume.in_time(asking, self.scanner.root, timeout=timeout)
        ready = [each.sighting for each in answers if isinstance(each, Ready)]
        waiting = self._failed.among(each for each in answers if isinstance(each, Waiting))
        waiting = await self._still(waiting)
        await self._note(waiting, ready)
        return ScanReport(
            folder=self.scanner.root,
            ready=tuple(await self._enter_all(ready)),
            waiting=len(waiting),
            settling=sum(not each.refused for each in waiting),
            overdue=tuple(e for e in self.pending.overdue(time.monotonic()) if not e.unreadable),
            problems=(*problems, *self._failed.begun(waiting)),
        )

    async def _observed(self, result: Scanned, *, count: bool) -> list[Sighting]:
        """Note in the ledger what was seen; the clips that may be ready."""
        for relpath in result.gone:
            self.pending.forget(relpath)
        self._failed.forget((*result.gone, *(each.relpath for each in result.changed)))
        clips = [each for each in result.seen if is_candidate(each.path)]
        no_clips = {each.relpath for each in result.seen}.difference(e.relpath for e in clips)
        self.scanner.settle(no_clips)
        seen = [e for e in (*result.new, *result.changed) if e.relpath not in no_clips]
        if seen or result.gone:
            await self._ledger.run(observations.observe, self.root, seen, gone=result.gone)
        if result.full or no_clips or result.gone or count:
            await self._count_others()
        return clips

    async def _count_others(self) -> None:
        """Leave in the ledger how many files there are that nobody hears of one by one."""
        found = await volume.ask(self.scanner.others)
        if unread := sum(each.what != OTHER_ROOT for each in self._problems.lasting):
            found[UNREAD] = unread
        if found != self._others:
            await self._ledger.run(observations.count_others, self.root, found)
            self._others = found

    async def _still(self, waiting: list[Waiting]) -> list[Waiting]:
        """Files that are still waited for. A person may deliver by hand what is refused here."""
        if not any(each.refused for each in waiting):
            return waiting
        settling = await self._ledger.run(observations.known, self.root, ObservationState.SETTLING)
        open_ = {each.relpath for each in settling}
        over = {each.relpath for each in waiting if each.refused and each.relpath not in open_}
        self.scanner.settle(over)
        for relpath in over:
            self.pending.forget(relpath)
        return [each for each in waiting if each.relpath not in over]

    async def _note(self, waiting: list[Waiting], ready: list[Sighting]) -> None:
        """Leave in the ledger why files are waited for, where that changed."""
        notes = {each.relpath: told(each.reason) for each in waiting}
        notes |= {each.relpath: observations.ABOUT_TO_BE_ENTERED for each in ready[1:]}
        news = {path: why for path, why in notes.items() if self._noted.get(path) != why}
        refused = {each.relpath for each in waiting if each.refused}
        await self._ledger.run(observations.set_notes, self.root, news, refused=refused)
        self._noted = notes

    async def _enter_all(self, ready: list[Sighting]) -> list[str]:
        entered = []
        try:
            for number, sighting in enumerate(ready):
                self.entering = len(ready) - number
                if await self._enter(sighting):
                    entered.append(sighting.relpath)
        finally:
            self.entering = 0
        return entered

    async def _enter(self, sighting: Sighting) -> bool:
        """Is it new? What changed again, or could not be entered, is left to the next scan."""
        try:
            media = await probe_media(sighting.path, any_kind=True)
            entry = await self._ledger.run(registry.register, self.root, media)
        except Exception as error:
            self._failed.add(sighting.relpath, error)
            return False
        if entry is None:
            return False
        self.scanner.settle([sighting.relpath])
        self._failed.forget([sighting.relpath])
        return entry.new
