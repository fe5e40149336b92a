"""Looks after one watched folder: finds clips, waits until they are whole, enters them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from pathlib import Path

from postflow.errors import PostFlowError, Retry
from postflow.ledger import AsyncLedger, ObservationState, Root
from postflow.media import look_at
from postflow.models import CONTENT_TYPES, Moment
from postflow.readiness.waiting import Ready, Waiting, WaitingRoom
from postflow.scan.root import AbsentError, read_mark
from postflow.scan.sighting import Abandoned, Offline, Scanned, ScanResult, Sighting
from postflow.scan.walk import Scanner

log = logging.getLogger(__name__)

LATE = 120.0


class Looked(Moment):
    """What one look came to. `alarm`: why nothing could be concluded, in a person's words.

    `settling` are those of the `waiting` that time alone may make ready.
    """

    folder: Path
    ready: tuple[str, ...] = ()
    waiting: int = 0
    settling: int = 0
    overdue: tuple[Waiting, ...] = ()
    alarm: str | None = None


class Lookout:
    """One folder of one studio. The ledger is its memory: a restart forgets nothing."""

    def __init__(
        self,
        ledger: AsyncLedger,
        studio: str,
        folder: Path,
        *,
        quiet: float | None = None,
        late: float = LATE,
    ) -> None:
        """`late`: seconds after which a scan that has not come back is an alarm."""
        self.folder = folder
        self._late = late
        self._scanning: asyncio.Task[ScanResult] | None = None
        self._ledger = ledger
        self._studio = studio
        self._quiet = quiet
        self._root: Root | None = None
        self._scanner: Scanner | None = None
        self._room: WaitingRoom | None = None

    async def look(self) -> Looked:
        """Scan once, and enter what has become ready into the ledger."""
        try:
            return await self._look()
        except AbsentError as error:
            return self._alarm(f"The watched folder {self.folder} is not there: {error}.")
        except Retry as error:
            # What was scanned but not written down must be new again to the next scan.
            self._scanner = None
            return self._alarm(str(error))

    async def _look(self) -> Looked:
        if self._root is None or self._scanner is None or self._room is None:
            self._root, self._scanner, self._room = await self._open()
        result = await self._scan(self._scanner)
        if result is None:
            return self._alarm(f"The scan of {self.folder} has not come back: its volume hangs.")
        if isinstance(result, Offline | Abandoned):
            return self._alarm(result.reason)
        return await self._conclude(result, self._root, self._scanner, self._room)

    async def _scan(self, scanner: Scanner) -> ScanResult | None:
        """None while the scan is late; the next look waits for the same one."""
        if self._scanning is None:
            self._scanning = asyncio.create_task(asyncio.to_thread(scanner.scan))
        done, _ = await asyncio.wait([self._scanning], timeout=self._late)
        if not done:
            return None
        result, self._scanning = self._scanning.result(), None
        return result

    def _alarm(self, reason: str) -> Looked:
        return Looked(folder=self.folder, alarm=reason)

    @property
    def next_look(self) -> float | None:
        """When the next look is worth its while (monotonic seconds); None when nothing waits."""
        return self._room.next_look() if self._room else None

    async def _open(self) -> tuple[Root, Scanner, WaitingRoom]:
        mark = await asyncio.to_thread(read_mark, self.folder)
        root = await self._ledger.root(self._studio, self.folder, mark.id)
        known = await self._ledger.known(root)
        scanner = Scanner(
            self.folder,
            mark_id=mark.id,
            known={each.relpath: (each.size, each.mtime_ns) for each in known},
        )
        scanner.stir(e.relpath for e in known if e.state is ObservationState.SETTLING)
        return root, scanner, WaitingRoom(self._quiet or scanner.file_system.quiet)

    async def _conclude(
        self, result: Scanned, root: Root, scanner: Scanner, room: WaitingRoom
    ) -> Looked:
        for problem in result.problems:
            log.warning("%s: %s", problem.where, problem.what)
        for relpath in result.gone:
            room.forget(relpath)
        clips = [each for each in result.seen if _is_clip(each)]
        scanner.rest(each.relpath for each in result.seen if not _is_clip(each))
        seen = [each for each in (*result.new, *result.changed) if _is_clip(each)]
        if seen or result.gone:
            await self._ledger.observe(root, seen, gone=result.gone)
        answers = await asyncio.to_thread(_ask, room, clips)
        ready = [each.sighting for each in answers if isinstance(each, Ready)]
        waiting = [each for each in answers if isinstance(each, Waiting)]
        await self._ledger.not_yet(root, {each.relpath: each.reason for each in waiting})
        entered = [each for each in ready if await self._enter(root, scanner, each)]
        return Looked(
            folder=self.folder,
            ready=tuple(each.relpath for each in entered),
            waiting=len(waiting),
            settling=sum(not each.refused for each in waiting),
            overdue=tuple(room.overdue(time.monotonic())),
        )

    async def _enter(self, root: Root, scanner: Scanner, sighting: Sighting) -> bool:
        """Is it new? A file that changed again is left to the next look."""
        try:
            entry = await self._ledger.register(root, await look_at(sighting.path))
        except PostFlowError as error:
            log.warning("%s", error)
            return False
        if entry is None:
            return False
        scanner.rest([sighting.relpath])
        return entry.new


def _ask(room: WaitingRoom, clips: Iterable[Sighting]) -> list[Ready | Waiting]:
    return [room.look(each, time.monotonic()) for each in clips]


def _is_clip(sighting: Sighting) -> bool:
    return sighting.path.suffix.lower() in CONTENT_TYPES
