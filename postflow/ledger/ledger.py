"""The ledger: everything one may ask it or tell it, in one place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Concatenate, Generic, ParamSpec, Self, TypeVar

from pydantic import SecretStr

from postflow.media.filesystem import file_system_of

from . import (
    batches,
    claims,
    hindrances,
    known_ids,
    leases,
    observations,
    outbox,
    queries,
    registry,
    retrying,
    roots,
    transitions,
    unannounced,
)
from .opening import FindFileSystem, open_engine
from .store import Clock, Store, utc_now


class Ledger(Store):
    """The durable memory of deliveries. Every call is one short transaction."""

    @classmethod
    def open(
        cls,
        where: str | SecretStr | Path | None = None,
        *,
        clock: Clock = utc_now,
        file_system: FindFileSystem = file_system_of,
    ) -> Self:
        """Open or create it at a path or `postgresql://` URL. Raises as `open_engine` does."""
        opening = partial(open_engine, where, file_system)
        return cls(opening(), clock, opening)

    # which volumes are watched
    ledger_id = roots.ledger_id
    enrol = roots.enrol
    find_root = roots.find_root
    marks_at = roots.marks_at
    mounted = roots.mounted

    # what the scans see
    root = observations.root
    observe = observations.observe
    known = observations.known
    not_yet = observations.not_yet
    count_others = observations.count_others
    register = registry.register

    # who is alive, and who works on what
    enter = leases.enter
    renew = leases.renew
    leave = leases.leave
    recover = leases.recover
    living = leases.living
    claim = claims.claim
    claim_clip = claims.claim_clip
    release = claims.release
    ready = claims.ready

    # a clip's journey
    intend_request = transitions.intend_request
    requested = transitions.requested
    arrived = transitions.arrived
    announce = transitions.announce
    intend_stack = known_ids.intend_stack
    stacked = known_ids.stacked
    done = transitions.done
    skip = transitions.skip
    fail = transitions.fail
    supersede = transitions.supersede
    postpone = transitions.postpone
    leave_stack = transitions.leave_stack
    stack_mates = known_ids.stack_mates
    stack_of = known_ids.stack_of
    is_told_elsewhere = registry.is_told_elsewhere
    namesake = registry.namesake

    # where in Frame.io
    folders_at = known_ids.folders_at
    keep_folders = known_ids.keep_folders

    # announcements
    enqueue = outbox.enqueue
    due = outbox.due
    sending = outbox.sending
    sent = outbox.sent
    not_sent = outbox.not_sent
    unknown = outbox.unknown
    refused = outbox.refused
    messages = outbox.messages
    resend = unannounced.resend
    take_for_told = unannounced.take_for_told
    untold = unannounced.untold
    gather = batches.gather
    untold_batches = batches.untold_batches
    tell_batch = batches.tell_batch

    # what people ask and decide
    counts = queries.counts
    others = observations.others
    rows = queries.rows
    not_yet_whole = queries.not_yet_whole
    steps = queries.steps
    endings = queries.endings
    named = retrying.named
    retry = retrying.retry
    redo = retrying.redo
    mended = hindrances.mended
    in_the_way = hindrances.in_the_way
    export = queries.export


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

    ledger_id = _InThread(roots.ledger_id)
    enrol = _InThread(roots.enrol)
    find_root = _InThread(roots.find_root)
    marks_at = _InThread(roots.marks_at)
    mounted = _InThread(roots.mounted)

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

    intend_request = _InThread(transitions.intend_request)
    requested = _InThread(transitions.requested)
    arrived = _InThread(transitions.arrived)
    announce = _InThread(transitions.announce)
    intend_stack = _InThread(known_ids.intend_stack)
    stacked = _InThread(known_ids.stacked)
    done = _InThread(transitions.done)
    skip = _InThread(transitions.skip)
    fail = _InThread(transitions.fail)
    supersede = _InThread(transitions.supersede)
    postpone = _InThread(transitions.postpone)
    leave_stack = _InThread(transitions.leave_stack)
    stack_mates = _InThread(known_ids.stack_mates)
    stack_of = _InThread(known_ids.stack_of)
    is_told_elsewhere = _InThread(registry.is_told_elsewhere)
    namesake = _InThread(registry.namesake)

    folders_at = _InThread(known_ids.folders_at)
    keep_folders = _InThread(known_ids.keep_folders)

    enqueue = _InThread(outbox.enqueue)
    due = _InThread(outbox.due)
    sending = _InThread(outbox.sending)
    sent = _InThread(outbox.sent)
    not_sent = _InThread(outbox.not_sent)
    unknown = _InThread(outbox.unknown)
    refused = _InThread(outbox.refused)
    messages = _InThread(outbox.messages)
    resend = _InThread(unannounced.resend)
    take_for_told = _InThread(unannounced.take_for_told)
    untold = _InThread(unannounced.untold)
    gather = _InThread(batches.gather)
    untold_batches = _InThread(batches.untold_batches)
    tell_batch = _InThread(batches.tell_batch)

    counts = _InThread(queries.counts)
    rows = _InThread(queries.rows)
    not_yet_whole = _InThread(queries.not_yet_whole)
    steps = _InThread(queries.steps)
    endings = _InThread(queries.endings)
    others = _InThread(observations.others)
    named = _InThread(retrying.named)
    retry = _InThread(retrying.retry)
    redo = _InThread(retrying.redo)
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
