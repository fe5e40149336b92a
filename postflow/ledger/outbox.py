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

from sqlalchemy import Connection, RowMapping, or_, select, update

from postflow.errors import PostFlowError, Retry

from .clips import backoff_after, reason
from .ledger import Ledger
from .models import Announcement, Message, columns_of
from .schema import insert_into, leases, outbox, threads
from .states import MessageState, StaleClaim, check_message_move

NO_ANSWER = Retry(
    "The announcement was sent, and no answer came.",
    hint="See whether the channel has it; `postflow retry --messages` sends it again if not.",
    code="ledger.message_unknown",
)

Reword = Callable[[dict[str, Any]], dict[str, Any]]
"""From what a message says to what it is to say."""


def enqueue(ledger: Ledger, announcement: Announcement) -> None:
    """Have the channel show this under this key. The same content again changes nothing."""
    with ledger.writing() as connection:
        put(connection, announcement, ledger.now())


def due(ledger: Ledger, *, channel: str | None = None, limit: int = 50) -> list[Message]:
    """What can be sent now, oldest first; to one channel if named."""
    now = ledger.now()
    query = select(*columns_of(Message, outbox)).where(
        outbox.c.state == MessageState.PENDING,
        or_(outbox.c.not_before.is_(None), outbox.c.not_before <= now),
    )
    if channel is not None:
        query = query.where(outbox.c.channel == channel)
    return ledger.entries(Message, query.order_by(outbox.c.id).limit(limit))


def sending(ledger: Ledger, message: Message, run_id: str, *, thread: str | None = None) -> Message:
    """About to post or edit it: returns what to send. Raises StaleClaim if another run is at it,
    or opens the `thread` in which its place is.
    """
    with ledger.writing() as connection:
        lease = select(leases.c.run_id).where(leases.c.run_id == run_id)
        alive = connection.scalar(lease)
        row = _row(connection, message.key)
        if row["state"] != MessageState.PENDING or alive is None:
            raise _taken(message)
        values = {"run_id": run_id, "token": row["token"] + 1, "offered": row["wanted"]}
        move(connection, row, MessageState.SENDING, ledger.now(), **values)
        thread_id = _thread_known(connection, message.channel, thread) if thread else None
        if thread and not thread_id and not row["message_id"]:
            _begin_thread(connection, message.channel, thread, run_id)
        now = _message(connection, message.key)
        return now.model_copy(update={"thread": thread, "thread_id": thread_id})


def sent(ledger: Ledger, message: Message, message_id: str) -> None:
    """The channel shows it. Content that was enqueued meanwhile becomes due.

    The id of a message in a thread begins with that one's.
    """
    with _answered(ledger, message) as (connection, row, now):
        values = {"message_id": message_id, "shown": row["offered"], "tries": 0, "not_before": None}
        move(connection, row, MessageState.SENT, now, run_id=None, **values)
        thread_id, _, _ = message_id.rpartition("/")
        if message.thread and thread_id:
            _thread_opened(connection, message.channel, message.thread, thread_id)
        if row["wanted"] > row["offered"]:
            row = _row(connection, message.key)
            move(connection, row, MessageState.PENDING, now)


def not_sent(ledger: Ledger, message: Message, why: Retry) -> datetime:
    """It certainly did not reach the channel: due again at the returned time."""
    with _answered(ledger, message) as (connection, row, now):
        until = now + timedelta(seconds=backoff_after(why, row["tries"]))
        values = {"not_before": until, "tries": row["tries"] + 1, "run_id": None}
        move(connection, row, MessageState.PENDING, now, why, **values)
        return until


def unknown(ledger: Ledger, message: Message, why: PostFlowError = NO_ANSWER) -> MessageState:
    """It may or may not have reached the channel: an edit is due again, a post is not."""
    with _answered(ledger, message) as (connection, row, now):
        return _unanswered(connection, row, now, why)


def refused(ledger: Ledger, message: Message, why: PostFlowError) -> None:
    """The channel does not take it until somebody mends something; then `resend`."""
    with _answered(ledger, message) as (connection, row, now):
        move(connection, row, MessageState.FAILED, now, why, run_id=None)


def messages(ledger: Ledger, *states: MessageState) -> list[Message]:
    """All messages, or those in some states, oldest first."""
    query = select(*columns_of(Message, outbox)).order_by(outbox.c.id)
    if states:
        query = query.where(outbox.c.state.in_(states))
    return ledger.entries(Message, query)


def put(
    connection: Connection, announcement: Announcement, now: datetime, clip_id: int | None = None
) -> None:
    """Enqueue inside the caller's transaction."""
    values = announcement.model_dump() | {"clip_id": clip_id, "made_at": now, "since": now}
    adding = insert_into(connection, outbox).values(state=MessageState.PENDING, wanted=1, **values)
    made = connection.execute(adding.on_conflict_do_nothing().returning(outbox.c.id)).first()
    if made is None:
        _put_anew(connection, _row(connection, announcement.key), announcement, now)


def put_over(connection: Connection, announcement: Announcement, now: datetime) -> None:
    """Where the channel shows something under this key, or is about to, it shows this instead."""
    row = _found(connection, announcement.key)
    if row and (row["message_id"] or row["state"] in {MessageState.PENDING, MessageState.SENDING}):
        _put_anew(connection, row, announcement, now)


def rewrite(
    connection: Connection, row: RowMapping, payload: dict[str, Any], now: datetime
) -> None:
    """What the message of this row says is outdated; inside the caller's transaction."""
    draft = Announcement(key=row["key"], channel=row["channel"], payload=payload)
    _put_anew(connection, row, draft, now)


def rewrite_of_clip(
    connection: Connection, clip_id: int, reword: Reword | None, now: datetime
) -> None:
    """The clip's message, if it has one, says from here on what `reword` makes of it."""
    if reword is None:
        return
    told = select(outbox).where(outbox.c.clip_id == clip_id)
    for row in connection.execute(told).mappings().all():
        draft = Announcement(key=row["key"], channel=row["channel"], payload=reword(row["payload"]))
        put_over(connection, draft, now)


def hand_on(connection: Connection, clip_id: int, to: int) -> None:
    """A clip that takes the place of another one takes over its messages: else the channel would
    show that one as on its way for ever.
    """
    mine = (outbox.c.clip_id == clip_id) & (outbox.c.state == MessageState.SENT)
    shown = select(outbox).where(mine, outbox.c.message_id.is_not(None))
    for row in connection.execute(shown).mappings().all():
        before, own, number = row["key"].rpartition("/clip-")
        key = f"{before}{own}{to}"
        if own and number == str(clip_id) and _found(connection, key) is None:
            _write(connection, row, {"key": key, "clip_id": to})


def orphan_messages(connection: Connection, run_id: str, now: datetime) -> int:
    """Settle what a dead run was sending; returns how many posts are now unknown."""
    mine = outbox.c.run_id == run_id, outbox.c.state == MessageState.SENDING
    query = select(outbox).where(*mine).order_by(outbox.c.id)
    rows = connection.execute(query).mappings().all()
    after = [_unanswered(connection, row, now, NO_ANSWER) for row in rows]
    return after.count(MessageState.UNKNOWN)


def _put_anew(
    connection: Connection, row: RowMapping, announcement: Announcement, now: datetime
) -> None:
    if row["payload"] == announcement.payload:
        return
    content = {"payload": announcement.payload, "wanted": row["wanted"] + 1}
    if row["state"] == MessageState.SENDING:
        _write(connection, row, content)
    else:
        content |= {"tries": 0, "not_before": None}
        move(connection, row, MessageState.PENDING, now, **content)


def _unanswered(
    connection: Connection, row: RowMapping, now: datetime, why: PostFlowError
) -> MessageState:
    is_edit, is_outdated = row["message_id"] is not None, row["wanted"] > row["offered"]
    to = MessageState.PENDING if is_edit or is_outdated else MessageState.UNKNOWN
    move(connection, row, to, now, why, run_id=None)
    return to


@contextmanager
def _answered(
    ledger: Ledger, message: Message
) -> Iterator[tuple[Connection, RowMapping, datetime]]:
    with ledger.writing() as connection:
        row = _row(connection, message.key)
        if row["token"] != message.token or row["state"] != MessageState.SENDING:
            raise _taken(message)
        if message.thread:
            _thread_not_opened(connection, message.channel, message.thread, message.run_id)
        yield connection, row, ledger.now()


def move(
    connection: Connection,
    row: RowMapping,
    to: MessageState,
    now: datetime,
    why: PostFlowError | None = None,
    **values: Any,
) -> None:
    check_message_move(MessageState(row["state"]), to)
    _write(connection, row, {"state": to, "since": now} | reason(why) | values)


def _write(connection: Connection, row: RowMapping, values: dict[str, Any]) -> None:
    connection.execute(update(outbox).where(outbox.c.id == row["id"]).values(values))


def _row(connection: Connection, key: str) -> RowMapping:
    found = _found(connection, key)
    assert found is not None
    return found


def _found(connection: Connection, key: str) -> RowMapping | None:
    query = select(outbox).where(outbox.c.key == key)
    return connection.execute(query).mappings().one_or_none()


def _message(connection: Connection, key: str) -> Message:
    query = select(*columns_of(Message, outbox)).where(outbox.c.key == key)
    return Message.model_validate(dict(connection.execute(query).mappings().one()))


def _taken(message: Message) -> StaleClaim:
    return StaleClaim(
        f"The announcement {message.key} is in the hands of another run.",
        hint="Nothing to do: that run sends it.",
        code="ledger.stale_message",
    )


def _thread_known(connection: Connection, channel: str, name: str) -> str | None:
    """The thread's id, if it was opened."""
    found = select(threads.c.thread_id).where(threads.c.channel == channel, threads.c.name == name)
    return connection.scalar(found)


def _begin_thread(connection: Connection, channel: str, name: str, run_id: str) -> None:
    """This run is about to open it. Raises StaleClaim while another run is at it."""
    at_it = select(leases.c.run_id).join(threads, threads.c.run_id == leases.c.run_id)
    here = threads.c.channel == channel, threads.c.name == name
    if connection.scalar(at_it.where(*here)) not in (None, run_id):
        raise StaleClaim(
            f"Another run opens the thread {name} just now.",
            hint="Nothing to do: the message follows.",
            code="ledger.stale_message",
        )
    _put_thread(connection, channel, name, thread_id=None, run_id=run_id)


def _thread_opened(connection: Connection, channel: str, name: str, thread_id: str) -> None:
    """Messages go there from now on, also where another had this name before."""
    _put_thread(connection, channel, name, thread_id=thread_id, run_id=None)


def _thread_not_opened(connection: Connection, channel: str, name: str, run_id: str | None) -> None:
    """This run is not at it any more: another may open it, whether it has appeared or not."""
    mine = threads.c.channel == channel, threads.c.name == name, threads.c.run_id == run_id
    connection.execute(update(threads).where(*mine).values(run_id=None))


def _put_thread(
    connection: Connection, channel: str, name: str, *, thread_id: str | None, run_id: str | None
) -> None:
    values = {"thread_id": thread_id, "run_id": run_id}
    adding = insert_into(connection, threads).values(channel=channel, name=name, **values)
    key = [threads.c.channel, threads.c.name]
    connection.execute(adding.on_conflict_do_update(index_elements=key, set_=values))
