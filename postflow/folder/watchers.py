"""All watch folders of a studio, each scanned again and again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from postflow.ledger import AsyncLedger
from postflow.ledger.leases import LEASE_SECONDS
from postflow.settings import Watching

from .notices import ScanReport
from .wakeup import Wakeup
from .watcher import FolderWatcher

SHORTEST_PAUSE = 0.1


class FolderWatchers:
    """Each folder has a task of its own: none holds up another, or whoever waits for reports."""

    def __init__(
        self, watchers: Sequence[FolderWatcher], *, interval: float, wakeup: Wakeup | None = None
    ) -> None:
        """`interval`: longest pause between two scans of a folder; `wakeup` may cut it short.

        `scanned`: when the last scan was that came to something (monotonic seconds).
        """
        self.last: dict[Path, ScanReport] = {}
        self.scanned: float | None = None
        self._watchers = watchers
        self._interval = interval
        self._wakeup = wakeup or Wakeup()
        self._tasks: list[asyncio.Task[None]] = []
        self._reports: list[ScanReport] = []
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._follow(each)) for each in self._watchers]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Whoever takes the folders over need not wait until the last sign is old."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        leaving = (each.leave() for each in self._watchers)
        await asyncio.gather(*leaving, return_exceptions=True)

    def reports(self) -> list[ScanReport]:
        """Reports of the scans that are over since last asked."""
        reports, self._reports = self._reports, []
        return reports

    async def wait(self, timeout: float, also: Iterable[asyncio.Task[Any]] = ()) -> None:
        """Until clips have become ready, something is to be told, or a task `also` is over; at
        most `timeout` seconds. Raises a fault of our own that ended a watcher.
        """
        news = asyncio.create_task(self._news.wait())
        busy: set[asyncio.Task[Any]] = {news, *self._tasks, *also}
        try:
            await asyncio.wait(busy, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
        self._news.clear()
        for task in self._tasks:
            if task.done():
                await task

    @property
    def may_find(self) -> bool:
        """Is there a file that time alone may make ready, or a folder that nobody has seen yet?"""
        unseen = len(self.last) < len(self._watchers)
        return unseen or any(report.settling for report in self.last.values())

    @property
    def entering(self) -> int:
        """Clips that are ready, and about to be in the ledger."""
        return sum(watcher.entering for watcher in self._watchers)

    @property
    def folders(self) -> dict[int, Path]:
        """The folders whose files can be read: the root's id, and where it is mounted here."""
        return within_reach(self._watchers)

    async def are_scanned_elsewhere(self) -> bool:
        """Are all within reach, and looked after by another watcher that is trusted?"""
        there = [e.within_reach and await e.is_scanned_elsewhere() for e in self._watchers]
        return bool(there) and all(there)

    @property
    def missing(self) -> dict[str, str]:
        """The folders whose files cannot be read, and why."""
        away = [each.folder for each in self._watchers if not each.within_reach]
        return {str(each): self.last[each].trouble or "" for each in away if each in self.last}

    @property
    def out_of_reach(self) -> bool:
        """There are folders, and each was looked for and is not there."""
        return bool(self._watchers) and not any(each.within_reach for each in self._watchers)

    async def _follow(self, watcher: FolderWatcher) -> None:
        while True:
            report = await watcher.scan(self._wakeup.touched(watcher.folder))
            before = self.last.get(watcher.folder)
            self.last[watcher.folder] = report
            self._reports.append(report)
            if report.trouble is None:
                self.scanned = time.monotonic()
            if report.ready or report.problems or report.overdue or _is_turn(before, report):
                self._news.set()
            await self._wakeup.wait(watcher.folder, self._pause(watcher))

    def _pause(self, watcher: FolderWatcher) -> float:
        """Until a waiting file is worth another scan."""
        due = watcher.next_scan
        if due is None:
            return self._interval
        return max(SHORTEST_PAUSE, min(self._interval, due - time.monotonic()))


def _is_turn(before: ScanReport | None, report: ScanReport) -> bool:
    return before is None or before.trouble != report.trouble


def within_reach(watchers: Iterable[FolderWatcher]) -> dict[int, Path]:
    """The folders whose files can be read: the root's id, and where it is mounted here."""
    here = [each.root for each in watchers if each.within_reach]
    return {root.id: root.path for root in here if root}


def folder_watchers(
    ledger: AsyncLedger,
    studio: str,
    watching: Watching,
    *,
    interval: float | None = None,
    wakeup: Wakeup | None = None,
    trusts: bool = False,
) -> FolderWatchers:
    """The watchers of all the studio's folders. Who `trusts` scans where no other watcher does;
    who does not is trusted.
    """
    every = watching.interval if interval is None else interval
    watchers = [
        FolderWatcher(
            ledger,
            studio,
            folder,
            watching,
            lease=None if trusts else LEASE_SECONDS + every,
            trusts=trusts,
        )
        for folder in watching.folders
    ]
    return FolderWatchers(watchers, interval=every, wakeup=wakeup)
