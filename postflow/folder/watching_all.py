"""Looks at the watch folders while clips travel: no folder holds up another, or the clips."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from postflow.errors import PostFlowError
from postflow.media import volume

from .notices import FOR_A_PERSON, MOST_PROBLEMS, Alarms, Notices
from .root import is_signed
from .watcher import FolderWatcher, ScanReport, within_reach

log = logging.getLogger("postflow.ingest")

PULSE = 1.0
SHORTEST_PULSE = 0.1
SHORTLY = 5.0


class Looks:
    """One look at each folder at a time. Who is slow is waited for shortly, and asked no more
    until that look is over.
    """

    def __init__(self, folder_watchers: Sequence[FolderWatcher]) -> None:
        self._lookouts = folder_watchers
        self._under_way: dict[FolderWatcher, asyncio.Task[ScanReport]] = {}

    async def round(self, touched: Callable[[Path], Iterable[str]]) -> list[ScanReport]:
        """The looks that are over. `touched`: what is said to have been written to in a folder."""
        for watcher in self._lookouts:
            if watcher not in self._under_way:
                look = watcher.look(touched(watcher.folder))
                self._under_way[watcher] = asyncio.create_task(look)
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=SHORTLY)
        over = [watcher for watcher, look in self._under_way.items() if look.done()]
        return [self._under_way.pop(watcher).result() for watcher in over]

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await _cancel(self._under_way.values())


class Looking:
    """What the last look at each folder came to."""

    def __init__(
        self, folder_watchers: Sequence[FolderWatcher], notices: Notices | None = None
    ) -> None:
        """`notices`: tell by these what a person has to end, where no look-out may run."""
        self.tasks: list[asyncio.Task[None]] = []
        self._notices = notices
        self._lookouts = folder_watchers
        self._looked: dict[Path, ScanReport] = {}
        self._alarms = Alarms()
        self._found = asyncio.Event()

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Look again and again. A fault of our own ends one of the `tasks`."""
        self.tasks = [asyncio.create_task(self._follow(each)) for each in self._lookouts]
        try:
            yield
        finally:
            await _cancel(self.tasks)

    @property
    def may_find(self) -> bool:
        """Is there a file that time alone may make ready, or a folder that nobody has seen yet?"""
        unseen = len(self._looked) < len(self._lookouts)
        return unseen or any(looked.settling for looked in self._looked.values())

    @property
    def finding(self) -> int:
        """Clips that are ready, and about to be in the ledger."""
        return sum(watcher.entering for watcher in self._lookouts)

    @property
    def folders(self) -> dict[int, Path]:
        """Those whose files can be read; whether the others' can, nobody knows."""
        return within_reach(self._lookouts)

    async def finds(self) -> None:
        """Return when clips have become ready."""
        await self._found.wait()
        self._found.clear()

    async def _follow(self, watcher: FolderWatcher) -> None:
        while True:
            looked = await watcher.look()
            self._looked[watcher.folder] = looked
            if looked.alarm and self._alarms.begins(looked):
                await self._tell(looked)
            if looked.problems:
                await self._tell_problems(looked)
            self._alarms.ends(looked)
            if looked.ready:
                self._found.set()
            await asyncio.sleep(_pause(watcher))

    async def _tell(self, looked: ScanReport) -> None:
        if self._notices is None or looked.trouble not in FOR_A_PERSON:
            log.warning("%s", looked.alarm)
            return
        await self._hand_over(self._notices, [looked])  # logs it, too

    async def _tell_problems(self, looked: ScanReport) -> None:
        """Unless a look-out lives, which does. One by one, so that no later run tells any again."""
        if self._notices is None or await volume.ask(lambda: is_signed(looked.folder)):
            return
        some, more = looked.problems[:MOST_PROBLEMS], looked.problems[MOST_PROBLEMS:]
        parts = [(each,) for each in some] + ([more] if more else [])
        told = [ScanReport(folder=looked.folder, problems=part) for part in parts]
        await self._hand_over(self._notices, told)

    async def _hand_over(self, notices: Notices, told: Iterable[ScanReport]) -> None:
        for looked in told:
            notices.take(looked)
        try:
            await notices.hand_over()
        except PostFlowError as error:
            log.warning("%s", error)


async def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _pause(watcher: FolderWatcher) -> float:
    due = watcher.next_look
    return PULSE if due is None else max(SHORTEST_PULSE, min(PULSE, due - time.monotonic()))
