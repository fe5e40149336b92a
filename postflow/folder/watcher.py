"""Looks after one watched folder: finds clips, waits until they are whole, enters them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from postflow.errors import PostFlowError, Retry, as_ours
from postflow.ledger import (
    AsyncLedger,
    ObservationState,
    Root,
    observations,
    registry,
    roots,
)
from postflow.media import volume
from postflow.media.containers.reading import Verdict, Whole
from postflow.media.containers.whole import verdict
from postflow.media.ignore import SHIPPED_ONLY, Ignoring
from postflow.media.kinds import UNREAD, is_candidate
from postflow.media.probe import probe_media
from postflow.media.sighting import (
    Abandoned,
    Offline,
    Problem,
    Problems,
    Scanned,
    ScanResult,
    Sighting,
)
from postflow.models import FrozenModel, is_clip
from postflow.settings import Watching

from .enrolment import absent_root, enrolled, vanished
from .pending import PendingFiles, Ready, Waiting
from .root import SIGN_EVERY, AbsentError, RootMark, read_mark, sign, sign_off
from .scanner import Scanner
from .survey import OTHER_ROOT
from .unreadable import Stuck

log = logging.getLogger(__name__)

SCAN_TIMEOUT = volume.PATIENCE
LEAVING = 3.0

Trouble = Literal["offline", "vanished", "late", "ledger", "fault", "taken", "not enrolled"]

TROUBLES: dict[str, Trouble] = {
    "volume.hangs": "late",
    "folder.away": "offline",
    "folder.taken": "taken",
    "folder.not_enrolled": "not enrolled",
}
OUT_OF_REACH = frozenset({"offline", "late", "taken", "not enrolled"})


class ScanReport(FrozenModel):
    """What one look came to. `alarm`: why nothing could be concluded, in a person's words.

    `settling` are those of the `waiting` that time alone may make ready; `problems` are new ones.
    """

    folder: Path
    ready: tuple[str, ...] = ()
    waiting: int = 0
    settling: int = 0
    overdue: tuple[Waiting, ...] = ()
    problems: tuple[Problem, ...] = ()
    alarm: str | None = None
    trouble: Trouble | None = None


@dataclass
class _Watch:
    """A folder that could be opened, and what is known of it."""

    root: Root
    scanner: Scanner
    room: PendingFiles
    life: int
    noted: dict[str, str] = field(default_factory=dict)
    others: dict[str, int] | None = None


class FolderWatcher:
    """One folder of one studio. The ledger is its memory: a restart forgets nothing."""

    def __init__(
        self,
        ledger: AsyncLedger,
        studio: str,
        folder: Path,
        *,
        quiet: float | None = None,
        open_ended: bool = False,
        scan_timeout: float = SCAN_TIMEOUT,
        signs: bool = False,
        ignoring: Ignoring = SHIPPED_ONLY,
    ) -> None:
        """`within_reach`: the folder was there when last asked, its files can be read.

        `root`: the folder in the ledger, once it was there.

        `entering`: so many ready clips are about to be in the ledger.

        `ignoring`: what is passed over.

        `open_ended`: take files too whose container never states an end.

        `scan_timeout`: seconds after which a scan that has not come back is an alarm.

        `signs`: other ledgers shall see at the marker that the folder is watched.
        """
        self.folder = folder
        self.within_reach = False
        self.root: Root | None = None
        self.entering = 0
        self._ledger = ledger
        self._studio = studio
        self._quiet = quiet
        self._open_ended = open_ended
        self._scan_timeout = scan_timeout
        self._signs = signs
        self._signed_at = float("-inf")
        self._ignoring = ignoring
        self._is_late = False
        self._in_order = True
        self._scanning: asyncio.Task[tuple[_Watch, ScanResult]] | None = None
        self._watch: _Watch | None = None
        self._touched: set[str] = set()
        self._problems = Problems()
        self._stuck = Stuck(folder)

    async def look(self, touched: Iterable[str] = ()) -> ScanReport:
        """Scan once, and enter what has become ready into the ledger.

        `touched`: files that are said to have been written to, by relpath.
        """
        self._touched.update(touched)
        looked = await self._look_or_alarm()
        self._in_order = looked.trouble is None
        self.within_reach = looked.trouble not in OUT_OF_REACH
        return looked

    async def _look_or_alarm(self) -> ScanReport:
        try:
            return await self._look()
        except PostFlowError as error:
            return self._alarm(TROUBLES.get(error.code, "ledger"), str(error))
        except Exception as error:
            log.exception("A fault of our own, at the look at %s:", self.folder)
            return self._alarm("fault", f"{self.folder} cannot be looked at. {as_ours(error)}")

    async def _look(self) -> ScanReport:
        try:
            return await self._scan_and_conclude()
        except BaseException:
            # What was scanned but not written down must be new again to the next scan.
            self._watch = None
            raise

    async def _scan_and_conclude(self) -> ScanReport:
        scanned = await self._scanned()
        if scanned is None:
            late = f"The scan of {self.folder} has not come back: its volume hangs."
            return self._alarm("late", late)
        watch, result = scanned
        if isinstance(result, Offline | Abandoned):
            # The next scan reads the marker anew, and asks the ledger what a person has told it.
            self._watch = None
        if isinstance(result, Offline):
            await self._open()  # says better why, if it still is so
            return self._alarm("offline", result.reason)
        if isinstance(result, Abandoned):
            return self._alarm("vanished", vanished(self._studio, self.folder, result))
        return await self._conclude(watch, result)

    async def _scanned(self) -> tuple[_Watch, ScanResult] | None:
        """None while the scan is late; the next looks ask for the same one, and wait no more."""
        if self._scanning is None:
            self._scanning = asyncio.create_task(self._scan())
        patience = 0.0 if self._is_late else self._scan_timeout
        done, _ = await asyncio.wait([self._scanning], timeout=patience)
        self._is_late = not done
        if not done:
            return None
        scanning, self._scanning = self._scanning, None
        return scanning.result()

    async def _scan(self) -> tuple[_Watch, ScanResult]:
        if self._watch is None or self._watch.life != self._ledger.ledger.lives:
            self._watch = await self._open()
        watch, touched, self._touched = self._watch, self._touched, set()
        return watch, await volume.ask(lambda: self._scan_and_sign(watch.scanner, touched))

    def _scan_and_sign(self, scanner: Scanner, touched: set[str]) -> ScanResult:
        result = scanner.scan(touched=touched)
        due = time.monotonic() - self._signed_at >= SIGN_EVERY
        if self._signs and due and not isinstance(result, Offline):
            sign(self.folder)
            self._signed_at = time.monotonic()
        return result

    async def leave(self) -> None:
        """Say at the marker that nobody watches the folder any more; quickly, or not at all."""
        if not self.within_reach:
            return
        ledger = await self._ledger.run(roots.ledger_id)
        leaving = volume.ask(lambda: sign_off(self.folder, ledger))
        with contextlib.suppress(Retry):
            await volume.in_time(leaving, self.folder, patience=LEAVING)

    def _alarm(self, trouble: Trouble, reason: str) -> ScanReport:
        return ScanReport(folder=self.folder, alarm=reason, trouble=trouble)

    @property
    def next_look(self) -> float | None:
        """When the next look is worth its while (monotonic seconds).

        None when nothing waits, or when nothing can be concluded of what does.
        """
        return self._watch.room.next_look() if self._watch and self._in_order else None

    async def _open(self) -> _Watch:
        """Raises Retry as `enrolment.enrolled` does: a look-out enrols nothing."""
        mark, root = await self._enrolled()
        self.root, self.within_reach = root, True
        known = await self._ledger.run(observations.known, root)
        if over := [e.relpath for e in known if self._ignoring.passes_over(e.relpath)]:
            await self._ledger.run(observations.observe, root, (), gone=over)
        scanner = await volume.ask(
            lambda: Scanner(self.folder, mark=mark, known=known, ignoring=self._ignoring)
        )
        scanner.stir(e.relpath for e in known if e.state is ObservationState.SETTLING)
        quiet = self._quiet or scanner.file_system.quiet
        room = PendingFiles(quiet, accept_open_ended=self._open_ended, judge=_judge)
        return _Watch(root, scanner, room, self._ledger.ledger.lives)

    async def _enrolled(self) -> tuple[RootMark, Root]:
        ledger, where = self._ledger, (self._studio, self.folder)
        try:
            mark = await volume.ask(lambda: read_mark(self.folder))
        except AbsentError as error:
            absent = error
            raise await ledger.run(absent_root, *where, absent) from error
        return mark, await ledger.run(enrolled, *where, mark)

    async def _conclude(self, watch: _Watch, result: Scanned) -> ScanReport:
        problems = self._problems_of(result)
        for relpath in result.gone:
            watch.room.forget(relpath)
        self._stuck.free((*result.gone, *(each.relpath for each in result.changed)))
        clips = [each for each in result.seen if is_candidate(each.path)]
        no_clips = {each.relpath for each in result.seen}.difference(e.relpath for e in clips)
        watch.scanner.rest(no_clips)
        seen = [e for e in (*result.new, *result.changed) if e.relpath not in no_clips]
        if seen or result.gone:
            await self._ledger.run(observations.observe, watch.root, seen, gone=result.gone)
        if result.full or no_clips or result.gone or problems:
            await self._count_others(watch)
        asking = volume.ask(lambda: _ask(watch.room, clips))
        answers = await volume.in_time(asking, self.folder, patience=self._scan_timeout)
        ready = [each.sighting for each in answers if isinstance(each, Ready)]
        waiting = self._stuck.among(each for each in answers if isinstance(each, Waiting))
        waiting = await self._still(watch, waiting)
        await self._note(watch, waiting)
        return ScanReport(
            folder=self.folder,
            ready=tuple(await self._enter_all(watch, ready)),
            waiting=len(waiting),
            settling=sum(not each.refused for each in waiting),
            overdue=tuple(e for e in watch.room.overdue(time.monotonic()) if not e.unreadable),
            problems=(*problems, *self._stuck.begun(waiting)),
        )

    async def _count_others(self, watch: _Watch) -> None:
        """Leave in the ledger how many files there are that nobody hears of one by one."""
        found = await volume.ask(watch.scanner.others)
        if unread := sum(each.what != OTHER_ROOT for each in self._problems.lasting):
            found[UNREAD] = unread
        if found != watch.others:
            await self._ledger.run(observations.count_others, watch.root, found)
            watch.others = found

    def _problems_of(self, result: Scanned) -> tuple[Problem, ...]:
        """Those that began, as far as they keep clips from being delivered; all are logged."""
        begun, over = self._problems.news(result)
        for problem in begun:
            log.warning("%s: %s", problem.where, problem.what)
        for problem in over:
            log.info("%s: this is over: %s", problem.where, problem.what)
        return tuple(each for each in begun if each.what != OTHER_ROOT)

    async def _still(self, watch: _Watch, waiting: list[Waiting]) -> list[Waiting]:
        """Those that are still waited for. A person may deliver by hand what is refused here."""
        if not any(each.refused for each in waiting):
            return waiting
        settling = await self._ledger.run(observations.known, watch.root, ObservationState.SETTLING)
        open_ = {each.relpath for each in settling}
        over = {each.relpath for each in waiting if each.refused and each.relpath not in open_}
        watch.scanner.rest(over)
        for relpath in over:
            watch.room.forget(relpath)
        return [each for each in waiting if each.relpath not in over]

    async def _note(self, watch: _Watch, waiting: list[Waiting]) -> None:
        """Leave in the ledger why files are waited for, where that changed."""
        notes = {each.relpath: each.reason for each in waiting}
        news = {path: why for path, why in notes.items() if watch.noted.get(path) != why}
        refused = {each.relpath for each in waiting if each.refused}
        await self._ledger.run(observations.set_notes, watch.root, news, refused=refused)
        watch.noted = notes

    async def _enter_all(self, watch: _Watch, ready: list[Sighting]) -> list[str]:
        entered = []
        try:
            for number, sighting in enumerate(ready):
                self.entering = len(ready) - number
                if await self._enter(watch, sighting):
                    entered.append(sighting.relpath)
        finally:
            self.entering = 0
        return entered

    async def _enter(self, watch: _Watch, sighting: Sighting) -> bool:
        """Is it new? What changed again, or could not be entered, is left to the next look."""
        try:
            media = await probe_media(sighting.path, any_kind=True)
            entry = await self._ledger.run(registry.register, watch.root, media)
        except Exception as error:
            self._stuck.on(sighting.relpath, error)
            return False
        if entry is None:
            return False
        watch.scanner.rest([sighting.relpath])
        self._stuck.free([sighting.relpath])
        return entry.new


def folder_watchers(
    ledger: AsyncLedger, studio: str, watching: Watching, *, signs: bool = False
) -> list[FolderWatcher]:
    """One for each of the studio's watch folders."""
    return [
        FolderWatcher(
            ledger,
            studio,
            folder,
            quiet=watching.quiet,
            open_ended=watching.open_ended,
            scan_timeout=watching.scan_timeout,
            signs=signs,
            ignoring=watching.ignoring(folder),
        )
        for folder in watching.folders
    ]


def within_reach(folder_watchers: Iterable[FolderWatcher]) -> dict[int, Path]:
    """The folders whose files can be read: the root's id, and where it is mounted here."""
    here = [each.root for each in folder_watchers if each.within_reach]
    return {root.id: root.path for root in here if root}


def _judge(path: Path, expected: tuple[int, int]) -> Verdict:
    """What is no clip by its name has to stand still only; it is not to travel."""
    return verdict(path, expected) if is_clip(path) else Whole()


def _ask(room: PendingFiles, clips: Iterable[Sighting]) -> list[Ready | Waiting]:
    return [room.look(each, time.monotonic()) for each in clips]
