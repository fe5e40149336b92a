"""A hint that it is time to scan. It may come late, too often or never: the scan is the truth."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import watchfiles

from postflow.scan.ignore import is_ignored

log = logging.getLogger(__name__)

RETRY_AFTER = 30.0
STEP_MS = 50


class Wakeup:
    """Waits for a change or for time to pass, whichever is first.

    Only names that appear wake it: growth is followed by the scans of what is not settled, and
    would wake it all day long.
    """

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._stops: dict[Path, asyncio.Event] = {}

    async def wait(self, timeout: float, *, at_least: float = 0.5) -> bool:
        """True if something appeared within `timeout` seconds.

        Returns no sooner than after `at_least` seconds, so that a flood makes few scans.
        """
        try:
            async with asyncio.timeout(timeout):
                await asyncio.sleep(at_least)
                await self._changed.wait()
        except TimeoutError:
            return self._take()
        return self._take()

    def ring(self) -> None:
        """Wake whoever waits. For callers on the loop's own thread."""
        self._changed.set()

    def rearm(self) -> None:
        """The volume went away and came back: watch the new one."""
        for stop in self._stops.values():
            stop.set()

    def _take(self) -> bool:
        rung = self._changed.is_set()
        self._changed.clear()
        return rung

    async def watch(self, root: Path) -> None:
        """Follow the events of one root until cancelled. Never raises for what the root does."""
        complained = False
        while True:
            stop = self._stops[root] = asyncio.Event()
            try:
                await self._follow(root, stop)
                complained = False
            except (OSError, RuntimeError) as error:
                if not complained:
                    log.warning("No events from %s (%s): it is scanned by the clock.", root, error)
                complained = True
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RETRY_AFTER)

    async def _follow(self, root: Path, stop: asyncio.Event) -> None:
        """Ring for what appears, until told to stop. OSError if the root is not there."""
        # With ignore_permission_denied, watchfiles says nothing about a missing root.
        await asyncio.to_thread(root.stat)
        async for _ in watchfiles.awatch(
            root,
            watch_filter=_appears,
            step=STEP_MS,
            stop_event=stop,
            force_polling=False,
            ignore_permission_denied=True,
        ):
            self.ring()


@asynccontextmanager
async def wakeup(*roots: Path) -> AsyncIterator[Wakeup]:
    """Watch the roots that have events; give none for volumes that other hosts write to."""
    bell = Wakeup()
    watchers = [asyncio.create_task(bell.watch(root)) for root in roots]
    try:
        yield bell
    finally:
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)


def _appears(change: watchfiles.Change, path: str) -> bool:
    return change is watchfiles.Change.added and not is_ignored(Path(path).name)
