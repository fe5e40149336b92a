"""The stacks that were left for later, one after the other, beside the clips of an `ingest` run."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

from postflow.delivery.record import DeliveryRecord
from postflow.engine.studio import OpenStudio
from postflow.errors import PostFlowError, as_ours
from postflow.ledger import Claimed, StaleClaim, claims, stack_queue
from postflow.tasks.stack import LOOKS_TO_SPARE, stack_in_turn

log = logging.getLogger("postflow.ingest")

# Frame.io makes ten stacks a minute. So many existing ones grow too while clips need all lists.
SELDOM = 6.0


class StackQueue:
    """Begins a stack only when Frame.io makes it at once: what waits is the ledger's, not ours."""

    def __init__(self, studio: OpenStudio) -> None:
        self._studio = studio
        self._at_work: tuple[asyncio.Task[None], Claimed] | None = None
        self._extended_at = float("-inf")

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        return (self._at_work[0],) if self._at_work and not self._at_work[0].done() else ()

    async def advance(self) -> bool:
        """Begin the next one if its time has come. Is one being made?"""
        await self._end()
        if self._at_work is None and (claim := await self._next()):
            making = asyncio.create_task(self._make(claim), name=f"stack of {claim.name}")
            self._at_work = making, claim
        return self._at_work is not None

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _end(self) -> None:
        """Release the claim of one whose end the ledger could not take; of others nothing is left
        to release.
        """
        if self._at_work and self._at_work[0].done():
            with suppress(StaleClaim):
                await self._studio.ledger.run(claims.release, self._at_work[1])
            self._at_work = None

    async def _next(self) -> Claimed | None:
        studio, frameio = self._studio, self._studio.frameio
        has_looks = frameio.folders.looks >= LOOKS_TO_SPARE
        extending = has_looks or time.monotonic() - self._extended_at >= SELDOM
        creating = frameio.stacks.creations > len(studio.stacking)
        if extending and (claim := await self._take(creating=False, extending=True)):
            self._extended_at = time.monotonic()
            return claim
        return await self._take(creating=True, extending=False) if creating else None

    async def _take(self, *, creating: bool, extending: bool) -> Claimed | None:
        """Nothing is written where nothing is due."""
        ledger, name = self._studio.ledger, self._studio.name
        if not await ledger.run(stack_queue.due, name, creating=creating, extending=extending):
            return None
        run_id = self._studio.run_id
        return await ledger.run(
            stack_queue.take_next, run_id, name, creating=creating, extending=extending
        )

    async def _make(self, claim: Claimed) -> None:
        """Whatever comes of it, it undoes no delivery and stops nothing else."""
        try:
            await stack_in_turn(self._studio, claim)
        except PostFlowError as error:
            log.warning("The stack of %s waits: %s", claim.name, error)
        except Exception as error:
            log.exception("A fault of our own, at the stack of %s:", claim.name)
            record = DeliveryRecord(self._studio.ledger, claim, by_hand=False)
            with suppress(PostFlowError):
                await record.end(as_ours(error))
