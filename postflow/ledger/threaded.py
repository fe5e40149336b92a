"""The ledger for code on an event loop: the same calls, awaited, all on one thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Concatenate, Generic, ParamSpec, TypeVar

from pydantic import SecretStr

from postflow.media.filesystem import file_system_of

from . import (
    batches,
    claims,
    enrolment,
    folders,
    hindrances,
    journey,
    leases,
    observations,
    outbox,
    persons,
    registry,
    stacks,
    status,
    twins,
    untold,
)
from .ledger import Ledger
from .opening import FindFileSystem
from .store import Clock, Store, utc_now

P = ParamSpec("P")
T = TypeVar("T")


class _InThread(Generic[P, T]):
    """A method that runs a function of the store on the ledger's thread."""

    def __init__(self, call: Callable[Concatenate[Store, P], T]) -> None:
        self._call = call

    def __get__(self, owner: AsyncLedger, _kind: type[AsyncLedger]) -> Callable[P, Awaitable[T]]:
        async def ask(*args: P.args, **kwargs: P.kwargs) -> T:
            return await owner.run(lambda: self._call(owner.ledger, *args, **kwargs))

        return ask


class AsyncLedger:
    """Does calls in the order they were made, and each of them even if its caller is cancelled."""

    def __init__(self, ledger: Ledger, thread: ThreadPoolExecutor) -> None:
        self.ledger = ledger
        self._thread = thread

    async def run(self, work: Callable[[], T]) -> T:
        """Do something on the ledger's thread."""
        return await asyncio.shield(asyncio.wrap_future(self._thread.submit(work)))

    ledger_id = _InThread(enrolment.ledger_id)
    enrol = _InThread(enrolment.enrol)
    find_root = _InThread(enrolment.find_root)
    marks_at = _InThread(enrolment.marks_at)
    mounted = _InThread(enrolment.mounted)

    root = _InThread(observations.root)
    observe = _InThread(observations.observe)
    known = _InThread(observations.known)
    not_yet = _InThread(observations.not_yet)
    count_others = _InThread(observations.count_others)
    register = _InThread(registry.register)

    enter = _InThread(leases.enter)
    renew = _InThread(leases.renew)
    leave = _InThread(leases.leave)
    recover = _InThread(leases.recover)
    living = _InThread(leases.living)
    claim = _InThread(claims.claim)
    claim_clip = _InThread(claims.claim_clip)
    release = _InThread(claims.release)
    ready = _InThread(claims.ready)

    intend_request = _InThread(journey.intend_request)
    requested = _InThread(journey.requested)
    arrived = _InThread(journey.arrived)
    announce = _InThread(journey.announce)
    intend_stack = _InThread(stacks.intend_stack)
    stacked = _InThread(stacks.stacked)
    done = _InThread(journey.done)
    skip = _InThread(journey.skip)
    fail = _InThread(journey.fail)
    supersede = _InThread(journey.supersede)
    postpone = _InThread(journey.postpone)
    leave_stack = _InThread(journey.leave_stack)
    stack_mates = _InThread(stacks.stack_mates)
    stack_of = _InThread(stacks.stack_of)
    is_told_elsewhere = _InThread(twins.is_told_elsewhere)
    namesake = _InThread(twins.namesake)

    folders_at = _InThread(folders.folders_at)
    keep_folders = _InThread(folders.keep_folders)

    enqueue = _InThread(outbox.enqueue)
    due = _InThread(outbox.due)
    sending = _InThread(outbox.sending)
    sent = _InThread(outbox.sent)
    not_sent = _InThread(outbox.not_sent)
    unknown = _InThread(outbox.unknown)
    refused = _InThread(outbox.refused)
    messages = _InThread(outbox.messages)
    resend = _InThread(untold.resend)
    take_for_told = _InThread(untold.take_for_told)
    untold = _InThread(untold.untold)
    gather = _InThread(batches.gather)
    untold_batches = _InThread(batches.untold_batches)
    tell_batch = _InThread(batches.tell_batch)

    counts = _InThread(status.counts)
    rows = _InThread(status.rows)
    not_yet_whole = _InThread(status.not_yet_whole)
    steps = _InThread(status.steps)
    endings = _InThread(status.endings)
    others = _InThread(observations.others)
    named = _InThread(persons.named)
    retry = _InThread(persons.retry)
    redo = _InThread(persons.redo)
    mended = _InThread(hindrances.mended)
    in_the_way = _InThread(hindrances.in_the_way)


@asynccontextmanager
async def open_ledger(
    where: str | SecretStr | Path | None = None,
    *,
    clock: Clock = utc_now,
    file_system: FindFileSystem = file_system_of,
) -> AsyncIterator[AsyncLedger]:
    """A ledger for the event loop; raises as `Ledger.open` does."""
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
    opening = thread.submit(Ledger.open, where, clock=clock, file_system=file_system)
    try:
        ledger = await asyncio.shield(asyncio.wrap_future(opening))
        yield AsyncLedger(ledger, thread)
    finally:
        thread.submit(_close, opening)
        await asyncio.to_thread(thread.shutdown)


def _close(opening: Future[Ledger]) -> None:
    if opening.exception() is None:
        opening.result().close()
