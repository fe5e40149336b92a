"""An `ingest` run that stays for the next clip: a new process would take seconds to begin."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime

from prefect import get_client
from prefect.client.schemas import filters, sorting
from prefect.client.schemas.objects import StateType
from prefect.context import FlowRunContext

from postflow.blocks.studio import Studio, load_studio
from postflow.engine.presence import presence
from postflow.engine.runs import SERVER_FAILS, find_runs
from postflow.engine.studio import OpenStudio
from postflow.errors import Fatal, PostFlowError
from postflow.folder.watchers import FolderWatchers
from postflow.ledger import claims, stack_queue

log = logging.getLogger("postflow.ingest")

PULSE = 0.5
# Seconds between two looks at what is due and at the set-up, and of a whole stay.
LOOK_AGAIN = 20.0
LONGEST = 3600.0
# Seconds that a run needs to end, so that the clock's next one finds its place free.
MAKES_PLACE = 10.0


class Stay:
    """Of one run, from its beginning on. It ends when the clock's next run is due, or after an
    hour; when the studio's set-up has changed; and when no living watcher enters clips, since it
    scans nothing itself.
    """

    def __init__(self, studio: OpenStudio) -> None:
        self._studio = studio
        self._ends_at = time.monotonic() + LONGEST
        self._look_at = 0.0

    async def until_wanted(self, watchers: FolderWatchers) -> bool:
        """True as soon as clips or stacks wait, false when the stay is over."""
        async with presence(self._studio, "ingest", watchers):
            try:
                while not await self._is_over(watchers):
                    if await self._is_wanted(watchers):
                        return True
                    await asyncio.sleep(PULSE)
            except PostFlowError as error:  # a ledger that is away: the next run asks it
                log.warning("%s", error)
            return False

    async def _is_wanted(self, watchers: FolderWatchers) -> bool:
        studio = self._studio
        waiting = await studio.ledger.run(claims.ready, studio.name, folders=watchers.folders)
        return bool(waiting or await studio.ledger.run(stack_queue.due, studio.name))

    async def _is_over(self, watchers: FolderWatchers) -> bool:
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_AGAIN
            if not await watchers.are_scanned_elsewhere() or await self._is_set_up_anew():
                return True
            self._ends_at = min(self._ends_at, now + await _seconds_to_next_run() - MAKES_PLACE)
        return now >= self._ends_at

    async def _is_set_up_anew(self) -> bool:
        """Has somebody changed the studio's set-up, or taken it away?"""
        try:
            return _set_up(await load_studio(self._studio.name)) != _set_up(self._studio.settings)
        except Fatal:
            return True
        except (PostFlowError, *SERVER_FAILS):
            return False  # a server that is away has changed nothing


def _set_up(studio: Studio) -> dict[str, object]:
    """All but the sign-in, which is renewed beside it."""
    return studio.model_dump(exclude={"frameio": {"adobe"}})


async def _seconds_to_next_run() -> float:
    """Until the next planned run of this deployment; LONGEST where none is known of."""
    context = FlowRunContext.get()
    deployment = context.flow_run.deployment_id if context and context.flow_run else None
    if deployment is None:
        return LONGEST
    now = datetime.now(tz=UTC)
    try:
        async with get_client() as client:
            runs = await find_runs(
                client,
                [StateType.SCHEDULED],
                deployment=deployment,
                expected_start_time=filters.FlowRunFilterExpectedStartTime(after_=now),
                sort=sorting.FlowRunSort.EXPECTED_START_TIME_ASC,
                limit=1,
            )
    except SERVER_FAILS:
        return LONGEST
    begin = runs[0].expected_start_time if runs else None
    return (begin - now).total_seconds() if begin else LONGEST
