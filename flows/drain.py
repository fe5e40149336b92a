"""Drains what is ready: a bounded number of clips at once, each in a `deliver` run of its own."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from prefect.exceptions import CancelledRun

from postflow.delivery import announcements
from postflow.engine.presence import presence
from postflow.engine.runs import SERVER_FAILS
from postflow.engine.studio import OpenStudio
from postflow.errors import (
    Fatal,
    PostFlowError,
    Retry,
    Skip,
    as_ours,
    engine_trouble,
    our_fault_at_name,
)
from postflow.folder.notices import Notices
from postflow.folder.watchers import folder_watchers
from postflow.ledger import Announcement, Claimed, StaleClaim, claims, hosts, queue
from postflow.media.kinds import refusal
from postflow.models import Delivery, Drained, Once

from .batch import Batch
from .cancelling import Cancelling
from .stacking import StackQueue

log = logging.getLogger("postflow.ingest")

PULSE = 1.0
# Seconds of a ledger that does not answer; the leases have run out by then.
BEARABLE = 120.0
# Seconds in which another host begins its run or ends its clips, and takes its share.
LEFT_TO_OTHERS = 5.0

Deliver = Callable[..., Awaitable[Delivery]]


class Drain:
    """One ingest run's work. `deliver` is the flow that a clip travels by."""

    def __init__(
        self, studio: OpenStudio, deliver: Deliver, *, idle_timeout: float | None = None
    ) -> None:
        self._studio = studio
        self._deliver = deliver
        watching = studio.settings.watching
        self._idle_timeout = watching.idle_timeout if idle_timeout is None else idle_timeout
        self.watchers = folder_watchers(
            studio.ledger, studio.name, watching, interval=PULSE, trusts=True
        )
        self._notices = Notices(studio.ledger, studio.channel, studio.run_id, lasting_only=True)
        self._finished: list[Claimed] = []
        self._on_their_way: dict[asyncio.Task[None], Claimed] = {}
        self._batch = Batch(studio)
        self._cancelling = Cancelling(studio)
        self._stacks = StackQueue(studio)
        self._share = 0
        self._troubles: Once[str] = Once()
        self._busy_at = self._went_well_at = self._share_again_at = time.monotonic()

    async def run(self) -> Drained:
        """Until nothing has been ready, settling, on its way or stacked for the idle timeout.

        So a run stays for the stacks of a burst while Frame.io makes one every few seconds; what
        waits longer is left to a later run.
        """
        here = presence(self._studio, "ingest", self.watchers)
        async with self._studio.ways.kept_open(), self.watchers, here:
            try:
                while await self._round():
                    await self._pause()
                await self._tell()
            finally:
                await self._stop()
        return self._batch.drained()

    async def _round(self) -> bool:
        """False when there is nothing left to do. A ledger that is away for a while ends nothing:
        the clips on their way do not ask it all the time.
        """
        await self._tell()
        try:
            if not await self._is_busy():
                return False
            await self._release_finished()
            await self._start_some()
            await self._cancelling.look(self._on_their_way.values())
        except Retry as error:
            self._tell_once(error)
            if time.monotonic() - self._went_well_at > BEARABLE:
                raise
        else:
            self._went_well_at = time.monotonic()
            self._troubles.new(())
        return True

    def _tell_once(self, trouble: PostFlowError) -> None:
        """The next round, a second later, meets it again."""
        if self._troubles.begins(str(trouble)):
            log.warning("%s", trouble)

    async def _tell(self) -> None:
        for report in self.watchers.reports():
            self._notices.take(report)
        try:
            await self._notices.hand_over()
        except PostFlowError as error:
            self._tell_once(error)

    async def _is_busy(self) -> bool:
        stacking = await self._stacks.advance()
        travelling = self._on_their_way or self._finished
        if stacking or travelling or self.watchers.may_find or await self._waiting():
            self._busy_at = time.monotonic()
            return True
        if self.watchers.out_of_reach:
            log.warning("None of the watch folders is here; this run leaves its place to others.")
            return False
        return time.monotonic() - self._busy_at < self._idle_timeout

    async def _waiting(self, *, interrupted: bool = False) -> int:
        return await self._studio.ledger.run(
            claims.ready,
            self._studio.name,
            folders=self.watchers.folders,
            interrupted=interrupted,
        )

    async def _start_some(self) -> None:
        at_once = self._studio.settings.watching.at_once
        room = at_once - len(self._on_their_way)
        if room > 0:
            ready = await self._waiting()
            waiting = ready + self.watchers.entering
            await self._batch.expect(waiting + len(self._on_their_way))
            # What came after the count is of no batch yet.
            await self._claim(min(ready, await self._fair(room, waiting)))
        elif room > -at_once and (left := await self._waiting(interrupted=True)):
            # What was on its way from a host that is lost waits for no place.
            await self._claim(await self._fair(at_once + room, left), interrupted=True)

    async def _claim(self, limit: int, *, interrupted: bool = False) -> None:
        claimed = await self._studio.ledger.run(
            claims.claim,
            self._studio.run_id,
            limit=limit,
            studio=self._studio.name,
            folders=self.watchers.folders,
            interrupted=interrupted,
        )
        self._share -= len(claimed)
        for claim in claimed:
            if why := self._refused(claim):
                self._send(claim, self._refuse(claim, why))
            else:
                self._send(claim, self._cancelling.guard(claim, self._travel(claim)))

    async def _fair(self, room: int, waiting: int) -> int:
        """How many to take: of fewer than all hosts have places for, a share within a while, so
        that who is done a moment sooner does not take them all.
        """
        living = await self._studio.ledger.run(
            hosts.sharing, self._studio.name, self.watchers.folders
        )
        if living < 2 or waiting > living * self._studio.settings.watching.at_once:
            return room
        if time.monotonic() >= self._share_again_at:
            self._share_again_at = time.monotonic() + LEFT_TO_OTHERS
            self._share = math.ceil(waiting / living)
        return max(0, min(room, self._share))

    def _send(self, claim: Claimed, travel: Coroutine[Any, Any, None]) -> None:
        self._on_their_way[asyncio.create_task(_alone(claim, travel), name=claim.name)] = claim

    async def _release_finished(self) -> None:
        """Release the claims whose end the ledger could not take: else they would be this run's for
        as long as it lives. Of the others nothing is left to release.
        """
        while self._finished:
            with suppress(StaleClaim):
                await self._studio.ledger.run(claims.release, self._finished[0])
            del self._finished[0]

    def _refused(self, claim: Claimed) -> Skip | Fatal | None:
        """Why a person, or its name alone, keeps the clip from travelling, if so."""
        if claim.cancelled:
            return queue.cancelled(claim.name, claim.cancelled)
        if no_clip := refusal(claim.name):
            return no_clip
        try:
            self._studio.naming.identify(claim.name)
        except Skip as why:
            return why
        except Exception as error:
            log.exception("A fault of our own, at the name of %s:", claim.name)
            return our_fault_at_name(claim.name, error)
        return None

    def _announcement(self, claim: Claimed, why: Skip | Fatal) -> Announcement | None:
        if isinstance(why, Skip):
            return self._batch.skipped(claim, why)
        self._batch.not_delivered(claim.name, why)
        return self._failure(claim, why)

    def _failure(self, claim: Claimed, why: PostFlowError) -> Announcement | None:
        studio = self._studio
        return announcements.of_claim(
            studio.channel, studio.ledger, studio.naming, claim, why, project=studio.project
        )

    async def _refuse(self, claim: Claimed, why: Skip | Fatal) -> None:
        """What may be left of it in Frame.io is asked for, which may take long."""
        await self._studio.abandon(claim, why, self._announcement(claim, why))

    async def _travel(self, claim: Claimed) -> None:
        try:
            delivery = await self._deliver(claim.path, studio=self._studio.name, claim=claim.ref)
        except StaleClaim as error:  # another run finishes the clip, and tells of it
            log.warning("%s", error)
        except PostFlowError as error:
            await self._not_delivered(claim, error)
        except CancelledRun:  # this run is stopped, and the clip's with it
            raise asyncio.CancelledError from None
        except SERVER_FAILS as error:
            log.warning(
                "The run of %s was not taken. %s", claim.name, engine_trouble(error) or error
            )
            await self._not_delivered(claim, _server_trouble(claim))
        except Exception as error:
            log.exception("A fault of our own, at %s:", claim.name)
            await self._not_delivered(claim, as_ours(error))
        else:
            self._batch.delivered(delivery)

    async def _not_delivered(self, claim: Claimed, why: PostFlowError) -> None:
        """Its own run has ended the claim, unless it did not get as far."""
        self._batch.not_delivered(claim.name, why)
        with suppress(StaleClaim):
            claim = await self._studio.ledger.run(claims.read_claim, claim.ref)
            await self._studio.abandon(claim, why, self._failure(claim, why))

    async def _pause(self) -> None:
        """Until a clip arrives, one becomes ready, or a moment has passed.

        A fault of our own ends the whole run.
        """
        await self.watchers.wait(PULSE, [*self._on_their_way, *self._stacks.tasks])
        for task in [each for each in self._on_their_way if each.done()]:
            self._finished.append(self._on_their_way.pop(task))
            await task

    async def _stop(self) -> None:
        """On cancellation every clip is cancelled, and may clean up."""
        for task in self._on_their_way:
            task.cancel()
        await asyncio.gather(*self._on_their_way, return_exceptions=True)
        await self._stacks.stop()


async def _alone(claim: Claimed, travel: Coroutine[Any, Any, None]) -> None:
    """An error at the end of one clip's delivery stops no other clip."""
    try:
        await travel
    except PostFlowError as error:
        log.warning("The ending of %s was not noted: %s", claim.name, error)
    except Exception:
        log.exception("A fault of our own, at the ending of %s:", claim.name)


def _server_trouble(claim: Claimed) -> Retry:
    return Retry(
        "Prefect's server did not take the run of {name}.",
        hint="It is tried again; look at the server if this repeats.",
        code="prefect.unreachable",
        name=claim.name,
    )
