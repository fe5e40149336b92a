"""Looks at the watch folders while clips travel: no folder holds up another, or the clips."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from postflow.alarms import Alarms
from postflow.lookout import Looked, Lookout, within_reach

log = logging.getLogger("postflow.ingest")

PULSE = 1.0
SHORTEST_PULSE = 0.1


class Looking:
    """What the last look at each folder came to."""

    def __init__(self, lookouts: Sequence[Lookout]) -> None:
        self.tasks: list[asyncio.Task[None]] = []
        self._lookouts = lookouts
        self._looked: dict[Path, Looked] = {}
        self._alarms = Alarms()
        self._found = asyncio.Event()

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Look again and again. A fault of our own ends one of the `tasks`."""
        self.tasks = [asyncio.create_task(self._follow(each)) for each in self._lookouts]
        try:
            yield
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)

    @property
    def may_find(self) -> bool:
        """Is there a file that time alone may make ready, or a folder that nobody has seen yet?"""
        unseen = len(self._looked) < len(self._lookouts)
        return unseen or any(looked.settling for looked in self._looked.values())

    @property
    def finding(self) -> int:
        """Clips that are ready, and about to be in the ledger."""
        return sum(lookout.entering for lookout in self._lookouts)

    @property
    def folders(self) -> dict[int, Path]:
        """Those whose files can be read; whether the others' can, nobody knows."""
        return within_reach(self._lookouts)

    async def finds(self) -> None:
        """Return when clips have become ready."""
        await self._found.wait()
        self._found.clear()

    async def _follow(self, lookout: Lookout) -> None:
        while True:
            looked = await lookout.look()
            self._looked[lookout.folder] = looked
            if looked.alarm and self._alarms.begins(looked):
                log.warning("%s", looked.alarm)
            self._alarms.ends(looked)
            if looked.ready:
                self._found.set()
            await asyncio.sleep(_pause(lookout))


def _pause(lookout: Lookout) -> float:
    due = lookout.next_look
    return PULSE if due is None else max(SHORTEST_PULSE, min(PULSE, due - time.monotonic()))
