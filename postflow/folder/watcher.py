"""Looks after one watched folder: finds clips, waits until they are whole, enters them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import xxhash

from postflow.errors import PostFlowError, Retry, as_ours
from postflow.language import N_
from postflow.ledger import AsyncLedger, ObservationState, Root, leases, observations, roots
from postflow.media import volume
from postflow.media.containers.reading import Verdict, Whole
from postflow.media.containers.whole import verdict
from postflow.media.sighting import Abandoned, Offline, Scanned, ScanResult
from postflow.models import is_clip
from postflow.settings import Watching

from .enrolment import absent_root, enrolled, vanished
from .intake import FailedFiles, Intake, Problems
from .notices import ScanReport, Trouble
from .pending import OVERDUE, PendingFiles
from .root import SIGN_EVERY, AbsentError, RootMark, demand_mark, read_mark, sign, sign_off
from .scanner import Scanner

log = logging.getLogger(__name__)

WATCHING = Watching()
LEAVING = 3.0
TROUBLES: dict[str, Trouble] = {
    "volume.hangs": "late",
    "folder.away": "offline",
    "folder.taken": "taken",
    "folder.not_enrolled": "not enrolled",
}
OUT_OF_REACH = frozenset({"offline", "late", "taken", "not enrolled"})


_Scan = tuple[Intake, ScanResult]


class ScanLease:
    """Tells others in the ledger that a folder is scanned by certain rules.

    `seconds`: how long they may trust that after each scan; None: nothing is said.
    `trusts`: scan no more while another's lease says that the folder is scanned.
    """

    def __init__(
        self, ledger: AsyncLedger, rules: str, *, seconds: float | None, trusts: bool
    ) -> None:
        self.seconds = seconds
        self._ledger = ledger
        self._rules = xxhash.xxh3_64_hexdigest(rules.encode())
        self.trusts = trusts
        self._mine = uuid4().hex
        self._renewed = float("-inf")

    async def is_held_elsewhere(self, root: Root) -> bool:
        return self.trusts and await self._ledger.run(leases.is_held, self._names(root))

    async def keep(self, root: Root) -> None:
        if (
            self.seconds
            and time.monotonic() - self._renewed >= self.seconds / leases.RENEWALS_A_LEASE
        ):
            mine = self._names(root) + self._mine
            await self._ledger.run(leases.start, mine, lease_seconds=self.seconds)
            self._renewed = time.monotonic()

    async def end(self, root: Root) -> None:
        await self._ledger.run(leases.end, self._names(root) + self._mine)

    def _names(self, root: Root) -> str:
        """How the leases begin of those that scan the folder by the same rules."""
        return f"{leases.SCAN}{root.id} {self._rules} "


class FolderWatcher:
    """One folder of one studio. The ledger is its memory: a restart forgets nothing.

    `within_reach`: the folder was there when last asked, its files can be read. `root`: the folder
    in the ledger, once it was there.
    """

    def __init__(
        self,
        ledger: AsyncLedger,
        studio: str,
        folder: Path,
        watching: Watching = WATCHING,
        *,
        lease: float | None = None,
        trusts: bool = False,
    ) -> None:
        """`lease` and `trusts`: see ScanLease."""
        self.folder = folder
        self.within_reach = False
        self.root: Root | None = None
        self._entering_elsewhere = 0
        self._ledger = ledger
        self._studio = studio
        self._watching = watching
        self._ignoring = watching.ignoring(folder)
        rules = f"{watching.quiet} {watching.open_ended} {self._ignoring.rules}"
        self._lease = ScanLease(ledger, rules, seconds=lease, trusts=trusts)
        self._signed_at = float("-inf")
        self._is_late = False
        self._in_order = True
        self._scanning: asyncio.Task[_Scan | Root] | None = None
        self._mark: RootMark | None = None
        self._intake: Intake | None = None
        self._touched: set[str] = set()
        self._problems = Problems()
        self._failed = FailedFiles(folder)

    @property
    def entering(self) -> int:
        """How many ready clips are about to be in the ledger."""
        return self._intake.entering if self._intake else self._entering_elsewhere

    @property
    def next_scan(self) -> float | None:
        """When the next scan is worth its while (monotonic seconds).

        None when nothing waits, or when nothing can be concluded of what does.
        """
        return self._intake.pending.next_scan() if self._intake and self._in_order else None

    async def scan(self, touched: Iterable[str] = ()) -> ScanReport:
        """Scan once, and enter what has become ready into the ledger.

        `touched`: files that are said to have been written to, by relpath.
        """
        self._touched.update(touched)
        report = await self._report_or_alarm()
        self._in_order = report.trouble is None
        self.within_reach = report.trouble not in OUT_OF_REACH
        return report

    async def is_scanned_elsewhere(self) -> bool:
        """Does another watcher, which this one trusts, look after the folder?"""
        return self.root is not None and await self._lease.is_held_elsewhere(self.root)

    async def leave(self) -> None:
        """Say that it watches the folder no more; quickly, or not at all."""
        if self._lease.seconds is None:
            return
        if self.root:
            with suppress(PostFlowError):
                await self._lease.end(self.root)
        if self.within_reach:
            ledger = await self._ledger.run(roots.ledger_id)
            with suppress(Retry):
                leave = partial(sign_off, self.folder, ledger)
                await volume.ask_in_time(leave, self.folder, timeout=LEAVING)

    async def _report_or_alarm(self) -> ScanReport:
        try:
            await self._wait_for_scan()
            return await self._report()
        except PostFlowError as error:
            return self._alarm(TROUBLES.get(error.code, "ledger"), error.whole)
        except Exception as error:
            log.exception("A fault of our own, at the scan of %s:", self.folder)
            why = as_ours(error).whole
            told = N_("{folder} cannot be looked at. {why}", folder=self.folder, why=why)
            return self._alarm("fault", told)

    async def _report(self) -> ScanReport:
        assert self._scanning is not None
        scanning, self._scanning = self._scanning, None
        try:
            return await self._concluded(scanning.result())
        except BaseException:
            # What was scanned but not written down must be new again to the next scan.
            self._intake = None
            raise

    def _alarm(self, trouble: Trouble, reason: str) -> ScanReport:
        return ScanReport(folder=self.folder, alarm=reason, trouble=trouble)

    async def _wait_for_scan(self) -> None:
        """Raises Retry while it is late; the next calls wait for the same one, and no more."""
        if self._scanning is None:
            self._scanning = asyncio.create_task(self._scan())
        timeout = 0.0 if self._is_late else self._watching.scan_timeout
        done, _ = await asyncio.wait([self._scanning], timeout=timeout)
        self._is_late = not done
        if not done:
            raise Retry(
                "The scan of {folder} has not come back: its volume hangs.",
                hint="",
                code="volume.hangs",
                folder=self.folder,
            )

    async def _scan(self) -> _Scan | Root:
        """Only the folder where somebody else scans it."""
        if self._lease.trusts:
            mark, root = self._mark, self.root
            if mark is None or root is None:
                mark, root = await self._meet()
            if await self._lease.is_held_elsewhere(root):
                self._intake = None
                await self._check(mark)
                return root
        intake = self._intake
        if intake is None or intake.life != self._ledger.ledger.lives:
            intake = self._intake = await self._open()
        touched, self._touched = self._touched, set()
        return intake, await volume.ask(lambda: self._scan_and_sign(intake.scanner, touched))

    def _scan_and_sign(self, scanner: Scanner, touched: set[str]) -> ScanResult:
        result = scanner.scan(touched=touched)
        due = time.monotonic() - self._signed_at >= SIGN_EVERY
        if self._lease.seconds and due and not isinstance(result, Offline):
            sign(self.folder)
            self._signed_at = time.monotonic()
        return result

    async def _check(self, mark: RootMark) -> None:
        """Raises as `_enrolled` does when the volume is not there any more."""
        try:
            await volume.ask(lambda: demand_mark(self.folder, mark))
        except AbsentError:
            await self._enrolled()

    async def _trusted(self, root: Root) -> ScanReport:
        """What another's scans have left in the ledger."""
        recently = timedelta(seconds=OVERDUE)
        found = await self._ledger.run(observations.expected, root, within=recently)
        self._entering_elsewhere = found.ready
        return ScanReport(folder=self.folder, waiting=found.settling, settling=found.settling)

    async def _open(self) -> Intake:
        """Raises Retry as `enrolment.enrolled` does: a watcher enrols nothing."""
        mark, root = await self._meet()
        known = await self._ledger.run(observations.known, root)
        if over := [e.relpath for e in known if self._ignoring.passes_over(e.relpath)]:
            await self._ledger.run(observations.observe, root, (), gone=over)
        scanner = await volume.ask(
            lambda: Scanner(self.folder, mark=mark, known=known, ignoring=self._ignoring)
        )
        scanner.unsettle(e.relpath for e in known if e.state is ObservationState.SETTLING)
        quiet = self._watching.quiet or scanner.file_system.quiet
        pending = PendingFiles(quiet, accept_open_ended=self._watching.open_ended, judge=_judge)
        return Intake(self._ledger, root, scanner, pending, self._problems, self._failed)

    async def _meet(self) -> tuple[RootMark, Root]:
        mark, root = await self._enrolled()
        self._mark, self.root, self.within_reach = mark, root, True
        return mark, root

    async def _enrolled(self) -> tuple[RootMark, Root]:
        ledger, where = self._ledger, (self._studio, self.folder)
        try:
            mark = await volume.ask(lambda: read_mark(self.folder))
        except AbsentError as error:
            raise await ledger.run(absent_root, *where, error) from error
        return mark, await ledger.run(enrolled, *where, mark)

    async def _concluded(self, scan: _Scan | Root) -> ScanReport:
        if isinstance(scan, Root):
            return await self._trusted(scan)
        intake, result = scan
        if isinstance(result, Scanned):
            await self._lease.keep(intake.root)
            report = await intake.take(result, timeout=self._watching.scan_timeout)
            if report.problems and await self._lease.is_held_elsewhere(intake.root):
                return report.model_copy(update={"problems": ()})  # who scans it tells them
            return report
        # The next scan reads the marker anew, and asks the ledger what a person has told it.
        self._intake = None
        if isinstance(result, Abandoned):
            return self._alarm("vanished", vanished(self._studio, self.folder, result))
        await self._open()  # says better why, if it still is so
        return self._alarm("offline", result.reason)


def _judge(path: Path, expected: tuple[int, int]) -> Verdict:
    """What is no clip by its name has to stand still only; it is not to travel."""
    return verdict(path, expected) if is_clip(path) else Whole()
