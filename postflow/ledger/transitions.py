"""What a run writes while a clip travels: each intent before the effect, each outcome after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import RowMapping

from postflow.errors import PostFlowError, lies_outside
from postflow.models import UploadPart, Way

from . import parts as unsent
from .clips import (
    LED_TO_NOTHING,
    NO_REASON,
    backoff,
    backoff_after,
    begin_attempt,
    change,
    claimed,
    close_attempt,
    held,
    mark_attempt,
    move,
    reason,
)
from .ledger import Ledger
from .models import Announcement, Claimed, Target
from .observations import settle_again
from .outages import end_outages, hold_back
from .outbox import Reword, put, put_over, rewrite_of_clip
from .queue import CANCELLED
from .shared_clips import ShareWish, wish
from .states import FILE_GONE, AttemptOutcome, State, check_move
from .transaction import Transaction


def intend_request(
    ledger: Ledger,
    claim: Claimed,
    target: Target,
    *,
    way: Way | Literal["adopted"],
    exposure: str | None = None,
) -> Claimed:
    """About to ask Frame.io for an upload. `exposure` is a fingerprint of the URL, never the URL.

    From `requesting` or `requested` it opens a new attempt: the caller has looked, and the last
    one led to nothing.
    """
    with _step(ledger, claim) as (tx, row):
        close_attempt(tx, row, LED_TO_NOTHING)
        unsent.drop(tx, row)
        number = begin_attempt(tx, row, way=way, exposure=exposure, outcome=AttemptOutcome.OPEN)
        detail = {"attempt": number, "way": way, "folder": target.folder}
        where = target.model_dump() | {"file_id": None, "view_url": None}
        move(tx, row, State.REQUESTING, detail=detail, **where)
        return claimed(tx, claim.clip_id, claim.root)


def requested(
    ledger: Ledger,
    claim: Claimed,
    file_id: str,
    *,
    view_url: str | None = None,
    adopted: bool = False,
    parts: Sequence[UploadPart] = (),
) -> Claimed:
    """Frame.io has a file for the clip. `adopted`: it was found there, not answered to us.

    `parts` of it are to be sent, from then on until it `arrived` or the clip is given up.
    """
    with _step(ledger, claim) as (tx, row):
        mark_attempt(tx, row, file_id=file_id, outcome=AttemptOutcome.ACCEPTED)
        unsent.put(tx, row, parts)
        detail = {"file_id": file_id, "adopted": adopted}
        values = {"file_id": file_id, "view_url": view_url}
        move(tx, row, State.REQUESTED, detail=detail, **values)
        return claimed(tx, claim.clip_id, claim.root)


def resumed(ledger: Ledger, claim: Claimed) -> Claimed:
    """The direct upload that a run of before began goes on, in the same file of Frame.io."""
    with _step(ledger, claim) as (tx, row):
        close_attempt(tx, row, AttemptOutcome.FAILED)
        number = begin_attempt(
            tx, row, way="direct", file_id=row["file_id"], outcome=AttemptOutcome.ACCEPTED
        )
        detail = {"attempt": number, "file_id": row["file_id"]}
        move(tx, row, State.REQUESTING, event="resumed", detail=detail)
        move(tx, held(tx, claim), State.REQUESTED)
        return claimed(tx, claim.clip_id, claim.root)


def arrived(ledger: Ledger, claim: Claimed, *, view_url: str | None = None) -> Claimed:
    """The proof of arrival is complete. From here on the clip counts as delivered."""
    with _step(ledger, claim) as (tx, row):
        close_attempt(tx, row, AttemptOutcome.ARRIVED)
        unsent.drop(tx, row)
        values = NO_REASON | {"view_url": view_url or row["view_url"], "tries": 0}
        values["cancelled"] = None  # it is whole in Frame.io: that came first
        move(tx, row, State.ARRIVED, **values)
        end_outages(tx, row["studio"])
        return claimed(tx, claim.clip_id, claim.root)


def announce(ledger: Ledger, claim: Claimed, announcement: Announcement) -> None:
    """The clip has a message of its own from here on, and this is what it says."""
    with _step(ledger, claim) as (tx, row):
        _announce(tx, row, announcement)


def done(
    ledger: Ledger,
    claim: Claimed,
    *,
    note: PostFlowError | None = None,
    announce: Announcement | None = None,
    share: ShareWish | None = None,
    reword: Reword | None = None,
) -> None:
    """The delivery has ended. `note` says what was left undone, such as the stack; `share` in which
    link the clip is to be; `reword` changes what its message says.
    """
    with _step(ledger, claim) as (tx, row):
        move(tx, row, State.DONE, finished_at=_finished(row, tx.now), **_why(note))
        _announce(tx, row, announce, share)
        rewrite_of_clip(tx, row["id"], reword)


def postpone_stack(
    ledger: Ledger,
    claim: Claimed,
    why: PostFlowError,
    *,
    announce: Announcement | None = None,
    share: ShareWish | None = None,
) -> datetime:
    """The clip is delivered; only its stack is tried again, not before the returned time.

    Legal where `done` is. What is announced is final: nobody is told when the stack follows.
    """
    with _step(ledger, claim) as (tx, row):
        check_move(State(row["state"]), State.DONE)
        finished = _finished(row, tx.now)
        event = "put off" if lies_outside(why) else "stack put off"
        until = _put_off(tx, row, why, event=event, finished_at=finished)
        _announce(tx, row, announce, share)
        return until


def leave_stack(
    ledger: Ledger,
    claim: Claimed,
    *,
    announce: Announcement | None = None,
    share: ShareWish | None = None,
) -> None:
    """The clip is delivered; its stack comes in turn, at the pace that Frame.io allows.

    Legal where `done` is.
    """
    with _step(ledger, claim) as (tx, row):
        check_move(State(row["state"]), State.DONE)
        values = NO_REASON | {"finished_at": _finished(row, tx.now), "run_id": None}
        change(tx, row, event="stack follows", **values)
        _announce(tx, row, announce, share)


def skip(
    ledger: Ledger, claim: Claimed, why: PostFlowError, *, announce: Announcement | None = None
) -> None:
    """The clip does not travel; a person or a new content can take that back."""
    _give_up(ledger, claim, State.SKIPPED, why, announce)


def fail(
    ledger: Ledger, claim: Claimed, why: PostFlowError, *, announce: Announcement | None = None
) -> None:
    """A person has to do something first, then `retry`. Illegal once the clip arrived."""
    _give_up(ledger, claim, State.FAILED, why, announce)


def supersede(
    ledger: Ledger, claim: Claimed, why: PostFlowError, *, announce: Announcement | None = None
) -> None:
    """The file on disk is no longer this revision, and nothing of it is left at Frame.io."""
    _give_up(ledger, claim, State.SUPERSEDED, why, announce)


def postpone(
    ledger: Ledger,
    claim: Claimed,
    why: PostFlowError,
    *,
    announce: Announcement | None = None,
    waiting: Announcement | None = None,
) -> datetime:
    """Give the clip back, not to be tried before the returned time.

    Where the reason `lies_outside` of it, `announce` tells of that, and is told once for all.
    `waiting` takes the place of what its own message says, if it has one.
    """
    with _step(ledger, claim) as (tx, row):
        if waiting:
            put_over(tx, waiting)
        until = _put_off(tx, row, why, notice=announce)
        if not lies_outside(why):
            _announce(tx, row, announce)
        return until


def _put_off(
    tx: Transaction,
    row: RowMapping,
    why: PostFlowError,
    *,
    event: str = "put off",
    notice: Announcement | None = None,
    **values: Any,
) -> datetime:
    """Until the returned time. What lies outside of the clip uses up none of its tries."""
    tries = row["tries"]
    if lies_outside(why):
        until = hold_back(tx, row, why, notice)
    else:
        # A service that asks for a second each time must not use up the tries within a minute.
        until = tx.now + timedelta(seconds=max(backoff_after(why, tries), backoff(tries)))
        tries += 1
    values |= _why(why) | {"not_before": until, "tries": tries, "run_id": None}
    change(tx, row, event=event, detail={"code": why.code}, **values)
    return until


def _finished(row: RowMapping, now: datetime) -> datetime:
    """When the clip was delivered in people's eyes: at the first `postpone_stack`, or now."""
    return row["finished_at"] or now


def _give_up(
    ledger: Ledger, claim: Claimed, to: State, why: PostFlowError, announce: Announcement | None
) -> None:
    with _step(ledger, claim) as (tx, row):
        detail = {"code": why.code, "reason": why.told.message}
        move(tx, row, to, detail=detail, **_why(why))
        if to is not State.FAILED or why.code == CANCELLED:
            unsent.drop(tx, row)
        if to is State.SUPERSEDED or why.code == FILE_GONE:
            settle_again(tx, row)
        _announce(tx, row, announce)


@contextmanager
def _step(ledger: Ledger, claim: Claimed) -> Iterator[tuple[Transaction, RowMapping]]:
    with ledger.writing() as tx:
        yield tx, held(tx, claim)


def _why(error: PostFlowError | None) -> dict[str, Any]:
    return NO_REASON | reason(error)


def _announce(
    tx: Transaction,
    row: RowMapping,
    announcement: Announcement | None,
    share: ShareWish | None = None,
) -> None:
    if announcement is not None:
        put(tx, announcement, clip_id=row["id"])
    if share is not None:
        wish(tx, row, share)
