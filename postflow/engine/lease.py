"""A run holds its clips while it renews its lease in the ledger."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from postflow.errors import PostFlowError
from postflow.ledger import AsyncLedger, StaleClaim, leases

log = logging.getLogger(__name__)

RENEWALS_A_LEASE = 4
LEASE = 60.0


@asynccontextmanager
async def hold_lease(
    ledger: AsyncLedger, run_id: str, *, lease_seconds: float = LEASE
) -> AsyncIterator[None]:
    """Hold the run's lease; what it still holds at the end is free for others at once."""
    await ledger.run(leases.start, run_id, lease_seconds=lease_seconds)
    renewing = asyncio.create_task(_keep(ledger, run_id, lease_seconds), name="lease")
    try:
        yield
    finally:
        renewing.cancel()
        with suppress(asyncio.CancelledError):
            await renewing
        await _leave(ledger, run_id)


async def _leave(ledger: AsyncLedger, run_id: str) -> None:
    """A ledger that is away undoes nothing of what was done: the lease then ends by itself."""
    try:
        await ledger.run(leases.end, run_id)
    except PostFlowError as error:
        log.warning("The run's lease could not be given back: %s", error)


async def _keep(ledger: AsyncLedger, run_id: str, lease_seconds: float) -> None:
    """Renew until cancelled. Nothing ends that: others would take up what this run holds."""
    while True:
        await asyncio.sleep(lease_seconds / RENEWALS_A_LEASE)
        try:
            await _renew(ledger, run_id, lease_seconds)
        except PostFlowError as error:
            log.warning("The lease could not be renewed yet: %s", error)
        except Exception:
            log.exception("A fault of our own; the lease could not be renewed yet:")


async def _renew(ledger: AsyncLedger, run_id: str, lease_seconds: float) -> None:
    try:
        await ledger.run(leases.renew, run_id, lease_seconds=lease_seconds)
    except StaleClaim as error:
        # As after a long sleep of the machine. What it held is another's; it may take up more.
        log.warning("%s", error)
        await ledger.run(leases.start, run_id, lease_seconds=lease_seconds)
