"""The ledger: everything one may ask it or tell it, in one place."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Self

from pydantic import SecretStr

from postflow.media.filesystem import file_system_of

from . import (
    batches,
    claims,
    enrolment,
    export,
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
    ledger_id = enrolment.ledger_id
    enrol = enrolment.enrol
    find_root = enrolment.find_root
    marks_at = enrolment.marks_at
    mounted = enrolment.mounted

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
    intend_request = journey.intend_request
    requested = journey.requested
    arrived = journey.arrived
    announce = journey.announce
    intend_stack = stacks.intend_stack
    stacked = stacks.stacked
    done = journey.done
    skip = journey.skip
    fail = journey.fail
    supersede = journey.supersede
    postpone = journey.postpone
    leave_stack = journey.leave_stack
    stack_mates = stacks.stack_mates
    stack_of = stacks.stack_of
    is_told_elsewhere = twins.is_told_elsewhere
    namesake = twins.namesake

    # where in Frame.io
    folders_at = folders.folders_at
    keep_folders = folders.keep_folders

    # announcements
    enqueue = outbox.enqueue
    due = outbox.due
    sending = outbox.sending
    sent = outbox.sent
    not_sent = outbox.not_sent
    unknown = outbox.unknown
    refused = outbox.refused
    messages = outbox.messages
    resend = untold.resend
    take_for_told = untold.take_for_told
    untold = untold.untold
    gather = batches.gather
    untold_batches = batches.untold_batches
    tell_batch = batches.tell_batch

    # what people ask and decide
    counts = status.counts
    others = observations.others
    rows = status.rows
    not_yet_whole = status.not_yet_whole
    steps = status.steps
    endings = status.endings
    named = persons.named
    retry = persons.retry
    redo = persons.redo
    mended = hindrances.mended
    in_the_way = hindrances.in_the_way
    export = export.export
