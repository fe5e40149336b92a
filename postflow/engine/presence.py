"""Says in the ledger, now and then, that this host lives, and what it can reach."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import NoReturn

from postflow.errors import PostFlowError
from postflow.folder.watchers import FolderWatchers
from postflow.ledger import hosts
from postflow.ledger.ledger import Ledger
from postflow.ledger.process import this_machine
from postflow.state import this_host
from postflow.stop import in_background

from .studio import OpenStudio

log = logging.getLogger(__name__)

EVERY = 15.0
LASTS = timedelta(seconds=60)


class _Presence:
    def __init__(self, studio: OpenStudio, part: hosts.Part, watchers: FolderWatchers) -> None:
        self._studio = studio
        self._part = part
        self._watchers = watchers
        self._since: datetime | None = None

    async def keep_telling(self) -> NoReturn:
        while True:
            try:
                await self._studio.ledger.run(lambda it: hosts.sign(it, self.said(it), lasts=LASTS))
            except PostFlowError as error:
                log.warning("This host could not say that it lives: %s", error)
            except Exception:
                log.exception("A fault of our own; this host could not say that it lives:")
            await asyncio.sleep(EVERY)

    def said(self, ledger: Ledger) -> hosts.HostSign:
        now, watchers = ledger.now(), self._watchers
        self._since = self._since or now
        scanned = watchers.scanned
        return hosts.HostSign(
            studio=self._studio.name,
            name=this_host(),
            part=self._part,
            machine=this_machine(),
            run_id=self._studio.run_id,
            since=self._since,
            at_once=self._studio.settings.watching.at_once,
            ahead=ledger.host_ahead.total_seconds(),
            folders={root: str(path) for root, path in watchers.folders.items()},
            missing=watchers.missing,
            scanned_at=scanned and now - timedelta(seconds=time.monotonic() - scanned),
        )


@asynccontextmanager
async def presence(
    studio: OpenStudio, part: hosts.Part, watchers: FolderWatchers
) -> AsyncIterator[None]:
    """While the block lasts, and not after it."""
    here = _Presence(studio, part, watchers)
    try:
        async with in_background(here.keep_telling(), "presence"):
            yield
    finally:
        with suppress(PostFlowError):
            await studio.ledger.run(lambda ledger: hosts.leave(ledger, here.said(ledger)))
