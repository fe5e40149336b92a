"""Which runs are alive, and what happens to what they held once they are not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Select, delete, func, select, update

from postflow.errors import PostFlowError
from postflow.models import FrozenModel
from postflow.stop import in_background

from .clips import change
from .ledger import AsyncLedger, Ledger
from .outbox import orphan_messages
from .process import ProcessMark, is_dead_here, this_process
from .schema import clips, leases, shares
from .states import StaleClaim
from .transaction import Transaction, columns_of

log = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
RENEWALS_A_LEASE = 4
# Parts of a lease: who did not renew within the first was silent. All have the second after an
# outage: a call that hung until then fails within half a lease, and is made again.
SILENCE = 0.5
GRACE = 0.75
AGAIN = 5.0
# How the leases of scans begin, which say nothing of runs.
SCAN = "scan "
RUN_DIED = "run died"


class Lease(ProcessMark):
    """A run's right to its clips, and the process it lives in."""

    run_id: str
    expires_at: datetime


class Recovered(FrozenModel):
    """What dead runs left behind."""

    runs: tuple[str, ...]
    clip_ids: tuple[int, ...]
    unknown_messages: int


class Ended(NamedTuple):
    run_id: str
    clip_ids: list[int]
    unknown_messages: int


def start(ledger: Ledger, run_id: str, *, lease_seconds: float = LEASE_SECONDS) -> None:
    """Start a run's lease without claiming anything, as sending messages needs too."""
    with ledger.writing() as tx:
        start_lease(tx, run_id, lease_seconds)


def renew(ledger: Ledger, run_id: str, *, lease_seconds: float = LEASE_SECONDS) -> None:
    """Say that the run is alive. Raises StaleClaim when it was already taken for dead."""
    with ledger.writing() as tx:
        expires = tx.now + timedelta(seconds=lease_seconds)
        _spare_after_silence(tx)
        mine = update(leases).where(leases.c.run_id == run_id)
        if tx.execute(mine.values(expires_at=expires, spared=False)).rowcount == 0:
            raise StaleClaim(
                f"Run {run_id} was silent for so long that others took over its clips.",
                hint="Nothing to do: what it had begun is finished by the next run.",
                code="ledger.run_expired",
            )


def end(ledger: Ledger, run_id: str) -> None:
    """End a run in good order: what it still holds is free at once."""
    with ledger.writing() as tx:
        _end(tx, run_id, "released")


def living(ledger: Ledger) -> set[str]:
    """The runs whose lease lasts, which is longer where nobody could renew."""
    with ledger.writing() as tx:
        _spare_after_silence(tx)
        return set(tx.scalars(alive(tx.now)))


def alive(now: datetime) -> Select[Any]:
    """The runs whose lease lasts."""
    return select(leases.c.run_id).where(leases.c.expires_at > now)


def is_held(ledger: Ledger, prefix: str) -> bool:
    """Does a lease last whose name begins so, of a process that may live?"""
    query = select(*columns_of(Lease, leases)).where(
        leases.c.run_id.startswith(prefix, autoescape=True), leases.c.expires_at > ledger.now()
    )
    return not all(is_dead_here(lease) for lease in ledger.entries(Lease, query))


def recover(ledger: Ledger) -> Recovered:
    """End the runs that died, by their lease or by their process being gone from this machine.

    `claim` hands out first what they left; the run that gets such a clip asks Frame.io about it.
    """
    with ledger.writing() as tx:
        ended = end_dead_runs(tx)
    return Recovered(
        runs=tuple(each.run_id for each in ended),
        clip_ids=tuple(clip_id for each in ended for clip_id in each.clip_ids),
        unknown_messages=sum(each.unknown_messages for each in ended),
    )


def note_caller(ledger: Ledger, run_id: str, user: str | None) -> int:
    """The run calls Frame.io as `user`, or not at all for now; how many processes do as that user?

    One that died counts until its lease has run out.
    """
    mine = leases.c.run_id == run_id
    if [user] != list(ledger.scalars(select(leases.c.frameio_user).where(mine))):
        with ledger.writing() as tx:
            tx.execute(update(leases).where(mine).values(frameio_user=user))
    if user is None:
        return 1
    living = (
        select(leases.c.machine, leases.c.pid)
        .where(leases.c.frameio_user == user, leases.c.expires_at > ledger.now())
        .distinct()
        .subquery()
    )
    return max(1, int(ledger.scalars(select(func.count()).select_from(living))[0]))


def start_lease(tx: Transaction, run_id: str, lease_seconds: float) -> None:
    """Start the run's lease, or renew it, before it looks for what dead ones had."""
    _spare_after_silence(tx)
    here = this_process().model_dump()
    expires = tx.now + timedelta(seconds=lease_seconds)
    row = tx.row(select(leases).where(leases.c.run_id == run_id))
    if row is not None and {name: row[name] for name in here} != here:
        # the same run, started again in another process: what the first held is unknown here
        _end(tx, run_id, "released")
    lasts = {"expires_at": expires, "spared": False}
    tx.upsert(leases, {"run_id": run_id, "started_at": tx.now, **here}, **lasts)


def _spare_after_silence(tx: Transaction) -> None:
    """Where no run has renewed for half a lease, as while the ledger was away or its only machine
    slept, nobody can tell who died: all have a while to renew. They have it again where one that
    has renewed since has fallen silent, too: another outage, which may have cut the first while
    short. Runs that ended in order, however short, prove none.
    """
    soon = tx.now + timedelta(seconds=LEASE_SECONDS * SILENCE)
    runs = leases.c.spared.is_(False) & leases.c.run_id.not_like(f"{SCAN}%")
    last = tx.scalar(select(func.max(leases.c.expires_at)).where(runs))
    if last is not None and last < soon:
        until = tx.now + timedelta(seconds=LEASE_SECONDS * GRACE)
        sparing = update(leases).where(leases.c.expires_at < soon)
        tx.execute(sparing.values(expires_at=until, spared=True))


def end_dead_runs(tx: Transaction, *, but: str | None = None) -> list[Ended]:
    """Free what is held by runs whose lease ran out or whose process is gone from this machine."""
    _spare_after_silence(tx)
    query = select(*columns_of(Lease, leases))
    if but is not None:
        query = query.where(leases.c.run_id != but)
    rows = tx.entries(Lease, query)
    dead = [lease for lease in rows if lease.expires_at <= tx.now or is_dead_here(lease)]
    return [_end(tx, lease.run_id, RUN_DIED) for lease in dead]


def _end(tx: Transaction, run_id: str, event: str) -> Ended:
    mine = select(clips).where(clips.c.run_id == run_id).order_by(clips.c.id)
    rows = tx.rows(mine)
    for row in rows:
        change(tx, row, event=event, run_id=None)
    unknown = orphan_messages(tx, run_id)
    tx.execute(update(shares).where(shares.c.run_id == run_id).values(run_id=None))
    tx.execute(delete(leases).where(leases.c.run_id == run_id))
    return Ended(run_id, [row["id"] for row in rows], unknown)


@asynccontextmanager
async def hold_lease(
    ledger: AsyncLedger, run_id: str, *, lease_seconds: float = LEASE_SECONDS
) -> AsyncIterator[None]:
    """Hold the run's lease; what it still holds at the end is free for others at once."""
    await ledger.run(start, run_id, lease_seconds=lease_seconds)
    try:
        async with in_background(_keep(ledger, run_id, lease_seconds), "lease"):
            yield
    finally:
        try:
            await ledger.run(end, run_id)
        except PostFlowError as error:  # a ledger that is away: the lease then ends by itself
            log.warning("The run's lease could not be given back: %s", error)


async def _keep(ledger: AsyncLedger, run_id: str, lease_seconds: float) -> None:
    """Renew until cancelled. Nothing ends that: others would take up what this run holds."""
    pause = lease_seconds / RENEWALS_A_LEASE
    wait = pause
    while True:
        await asyncio.sleep(wait)
        wait = min(AGAIN, pause)
        try:
            await _renew(ledger, run_id, lease_seconds)
            wait = pause
        except PostFlowError as error:
            log.warning("The lease could not be renewed yet: %s", error)
        except Exception:
            log.exception("A fault of our own; the lease could not be renewed yet:")


async def _renew(ledger: AsyncLedger, run_id: str, lease_seconds: float) -> None:
    try:
        await ledger.run(renew, run_id, lease_seconds=lease_seconds)
    except StaleClaim as error:
        # As after a long sleep of the machine. What it held is another's; it may take up more.
        log.warning("%s", error)
        await ledger.run(start, run_id, lease_seconds=lease_seconds)
