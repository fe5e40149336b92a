"""Announcements: written with the fact they announce, sent when the channel can be reached.

A post whose answer never came is `unknown`: it is not posted again with the same content, since a
webhook cannot be asked what it holds. New content goes out as a new post. An edit may be repeated.

Whoever sends the first message of a thread opens it by that. Where its answer never came, the next
message opens one anew, as it would be posted anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, select, update

from postflow.errors import PostFlowError, Retry

from .clips import backoff_after, is_time, reason
from .ledger import Ledger
from .models import Announcement, Message
from .schema import leases, outbox, threads
from .states import MessageState, StaleClaim, check_message_move
from .transaction import Transaction, columns_of

NO_ANSWER = Retry(
    "The announcement was sent, and no answer came.",
    hint="See whether the channel has it; `postflow retry --messages` sends it again if not.",
    code="ledger.message_unknown",
)

Reword = Callable[[dict[str, Any]], dict[str, Any]]
"""From what a message says to what it is to say."""


def enqueue(ledger: Ledger, announcement: Announcement) -> None:
    """Have the channel show this under this key. The same content again changes nothing."""
    with ledger.writing() as tx:
        put(tx, announcement)


def due(ledger: Ledger, *, channel: str | None = None, limit: int = 50) -> list[Message]:
    """What can be sent now, oldest first; to one channel if named."""
    query = select(*columns_of(Message, outbox)).where(
        outbox.c.state == MessageState.PENDING, is_time(ledger.now(), outbox)
    )
    if channel is not None:
        query = query.where(outbox.c.channel == channel)
    return ledger.entries(Message, query.order_by(outbox.c.id).limit(limit))


def sending(ledger: Ledger, message: Message, run_id: str, *, thread: str | None = None) -> Message:
    """About to post or edit it: returns what to send. Raises StaleClaim if another run is at it,
    or opens the `thread` in which its place is.
    """
    with ledger.writing() as tx:
        alive = tx.scalar(select(leases.c.run_id).where(leases.c.run_id == run_id))
        row = _row(tx, message.key)
        if row["state"] != MessageState.PENDING or alive is None:
            raise _taken(message)
        values = {"run_id": run_id, "token": row["token"] + 1, "offered": row["wanted"]}
        move(tx, row, MessageState.SENDING, **values)
        place = threads.c.channel == message.channel, threads.c.name == thread
        thread_id = tx.scalar(select(threads.c.thread_id).where(*place)) if thread else None
        if thread and not thread_id and not row["message_id"]:
            _begin_thread(tx, message.channel, thread, run_id)
        query = select(*columns_of(Message, outbox)).where(outbox.c.key == message.key)
        (now,) = tx.entries(Message, query)
        return now.model_copy(update={"thread": thread, "thread_id": thread_id})


def sent(ledger: Ledger, message: Message, message_id: str) -> None:
    """The channel shows it. Content that was enqueued meanwhile becomes due.

    The id of a message in a thread begins with that one's.
    """
    with _answered(ledger, message) as (tx, row):
        values = {"message_id": message_id, "shown": row["offered"], "tries": 0, "not_before": None}
        move(tx, row, MessageState.SENT, run_id=None, **values)
        thread_id, _, _ = message_id.rpartition("/")
        if message.thread and thread_id:
            place = {"channel": message.channel, "name": message.thread}
            tx.upsert(threads, place, thread_id=thread_id, run_id=None)
        if row["wanted"] > row["offered"]:
            row = _row(tx, message.key)
            move(tx, row, MessageState.PENDING)


def not_sent(ledger: Ledger, message: Message, why: Retry) -> datetime:
    """It certainly did not reach the channel: due again at the returned time."""
    with _answered(ledger, message) as (tx, row):
        until = tx.now + timedelta(seconds=backoff_after(why, row["tries"]))
        values = {"not_before": until, "tries": row["tries"] + 1, "run_id": None}
        move(tx, row, MessageState.PENDING, why, **values)
        return until


def unknown(ledger: Ledger, message: Message, why: PostFlowError = NO_ANSWER) -> MessageState:
    """It may or may not have reached the channel: an edit is due again, a post is not."""
    with _answered(ledger, message) as (tx, row):
        return _unanswered(tx, row, why)


def refused(ledger: Ledger, message: Message, why: PostFlowError) -> None:
    """The channel does not take it until somebody mends something; then `resend`."""
    with _answered(ledger, message) as (tx, row):
        move(tx, row, MessageState.FAILED, why, run_id=None)


def messages(ledger: Ledger, *states: MessageState) -> list[Message]:
    """All messages, or those in some states, oldest first."""
    query = select(*columns_of(Message, outbox)).order_by(outbox.c.id)
    if states:
        query = query.where(outbox.c.state.in_(states))
    return ledger.entries(Message, query)


def put(tx: Transaction, announcement: Announcement, clip_id: int | None = None) -> None:
    """Enqueue inside the caller's transaction."""
    values = announcement.model_dump() | {"clip_id": clip_id, "made_at": tx.now, "since": tx.now}
    adding = tx.insert(outbox).values(state=MessageState.PENDING, wanted=1, **values)
    made = tx.execute(adding.on_conflict_do_nothing().returning(outbox.c.id)).first()
    if made is None:
        _put_anew(tx, _row(tx, announcement.key), announcement)


def put_over(tx: Transaction, announcement: Announcement) -> None:
    """Where the channel shows something under this key, or is about to, it shows this instead."""
    row = _found(tx, announcement.key)
    if row and (row["message_id"] or row["state"] in {MessageState.PENDING, MessageState.SENDING}):
        _put_anew(tx, row, announcement)


def rewrite(tx: Transaction, row: RowMapping, payload: dict[str, Any]) -> None:
    """What the message of this row says is outdated; inside the caller's transaction."""
    draft = Announcement(key=row["key"], channel=row["channel"], payload=payload)
    _put_anew(tx, row, draft)


def rewrite_of_clip(tx: Transaction, clip_id: int, reword: Reword | None) -> None:
    """The clip's message, if it has one, says from here on what `reword` makes of it."""
    if reword is None:
        return
    told = select(outbox).where(outbox.c.clip_id == clip_id)
    for row in tx.rows(told):
        draft = Announcement(key=row["key"], channel=row["channel"], payload=reword(row["payload"]))
        put_over(tx, draft)


def hand_on(tx: Transaction, clip_id: int, to: int) -> None:
    """A clip that takes the place of another one takes over its messages: else the channel would
    show that one as on its way for ever.
    """
    mine = (outbox.c.clip_id == clip_id) & (outbox.c.state == MessageState.SENT)
    shown = select(outbox).where(mine, outbox.c.message_id.is_not(None))
    for row in tx.rows(shown):
        before, own, number = row["key"].rpartition("/clip-")
        key = f"{before}{own}{to}"
        if own and number == str(clip_id) and _found(tx, key) is None:
            _write(tx, row, {"key": key, "clip_id": to})


def orphan_messages(tx: Transaction, run_id: str) -> int:
    """Settle what a dead run was sending; returns how many posts are now unknown."""
    mine = outbox.c.run_id == run_id, outbox.c.state == MessageState.SENDING
    query = select(outbox).where(*mine).order_by(outbox.c.id)
    rows = tx.rows(query)
    after = [_unanswered(tx, row, NO_ANSWER) for row in rows]
    return after.count(MessageState.UNKNOWN)


def _put_anew(tx: Transaction, row: RowMapping, announcement: Announcement) -> None:
    if row["payload"] == announcement.payload:
        return
    content = {"payload": announcement.payload, "wanted": row["wanted"] + 1}
    if row["state"] == MessageState.SENDING:
        _write(tx, row, content)
    else:
        content |= {"tries": 0, "not_before": None}
        move(tx, row, MessageState.PENDING, **content)


def _unanswered(tx: Transaction, row: RowMapping, why: PostFlowError) -> MessageState:
    is_edit, is_outdated = row["message_id"] is not None, row["wanted"] > row["offered"]
    to = MessageState.PENDING if is_edit or is_outdated else MessageState.UNKNOWN
    move(tx, row, to, why, run_id=None)
    return to


@contextmanager
def _answered(ledger: Ledger, message: Message) -> Iterator[tuple[Transaction, RowMapping]]:
    with ledger.writing() as tx:
        row = _row(tx, message.key)
        if row["token"] != message.token or row["state"] != MessageState.SENDING:
            raise _taken(message)
        if message.thread:
            _thread_not_opened(tx, message.channel, message.thread, message.run_id)
        yield tx, row


def move(
    tx: Transaction,
    row: RowMapping,
    to: MessageState,
    why: PostFlowError | None = None,
    **values: Any,
) -> None:
    check_message_move(MessageState(row["state"]), to)
    _write(tx, row, {"state": to, "since": tx.now} | reason(why) | values)


def _write(tx: Transaction, row: RowMapping, values: dict[str, Any]) -> None:
    tx.execute(update(outbox).where(outbox.c.id == row["id"]).values(values))


def _row(tx: Transaction, key: str) -> RowMapping:
    found = _found(tx, key)
    assert found is not None
    return found


def _found(tx: Transaction, key: str) -> RowMapping | None:
    query = select(outbox).where(outbox.c.key == key)
    return tx.row(query)


def _taken(message: Message) -> StaleClaim:
    return StaleClaim(
        f"The announcement {message.key} is in the hands of another run.",
        hint="Nothing to do: that run sends it.",
        code="ledger.stale_message",
    )


def _begin_thread(tx: Transaction, channel: str, name: str, run_id: str) -> None:
    """This run is about to open it. Raises StaleClaim while another run is at it."""
    at_it = select(leases.c.run_id).join(threads, threads.c.run_id == leases.c.run_id)
    here = threads.c.channel == channel, threads.c.name == name
    if tx.scalar(at_it.where(*here)) not in (None, run_id):
        raise StaleClaim(
            f"Another run opens the thread {name} just now.",
            hint="Nothing to do: the message follows.",
            code="ledger.stale_message",
        )
    tx.upsert(threads, {"channel": channel, "name": name}, thread_id=None, run_id=run_id)


def _thread_not_opened(tx: Transaction, channel: str, name: str, run_id: str | None) -> None:
    """This run is not at it any more: another may open it, whether it has appeared or not."""
    mine = threads.c.channel == channel, threads.c.name == name, threads.c.run_id == run_id
    tx.execute(update(threads).where(*mine).values(run_id=None))
