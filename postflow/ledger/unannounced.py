"""Messages that are not in their channel, or may not be, and what a person decides about them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select

from . import outbox
from .ledger import Ledger
from .models import Unannounced
from .schema import clips
from .schema import outbox as messages
from .states import MessageState
from .transaction import as_entry

# A message that waits so long, or was tried so often, waits for somebody.
LONG = timedelta(minutes=10)
OFTEN = 3

UNDECIDED = (MessageState.UNKNOWN, MessageState.FAILED)


def current(ledger: Ledger, studio: str, *, limit: int = 1000) -> list[Unannounced]:
    """A studio's messages that were refused, got no answer, or have waited for long; oldest first.

    Those of another webhook than the studio's own are in channels below the studio's.
    """
    waits_long = and_(
        messages.c.state == MessageState.PENDING,
        or_(messages.c.since <= ledger.now() - LONG, messages.c.tries >= OFTEN),
    )
    query = select(messages, clips.c.relpath).outerjoin(clips, clips.c.id == messages.c.clip_id)
    query = query.where(_of(studio), or_(messages.c.state.in_(UNDECIDED), waits_long))
    return [
        as_entry(Unannounced, row, about=row["relpath"] or _about(row["payload"]))
        for row in ledger.rows(query.order_by(messages.c.id).limit(limit))
    ]


def resend(ledger: Ledger, studio: str) -> int:
    """A person asks for what is unknown, refused or put off to be sent; how many messages."""
    put_off = and_(messages.c.state == MessageState.PENDING, messages.c.not_before.is_not(None))
    wanted = or_(messages.c.state.in_(UNDECIDED), put_off)
    return _decide(ledger, studio, wanted, MessageState.PENDING)


def mark_sent(ledger: Ledger, studio: str) -> int:
    """A person says that unknown and refused messages are in the channel, or not missed."""
    return _decide(ledger, studio, messages.c.state.in_(UNDECIDED), MessageState.SENT)


def _decide(ledger: Ledger, studio: str, which: ColumnElement[bool], to: MessageState) -> int:
    query = select(messages).where(which, _of(studio)).order_by(messages.c.id)
    with ledger.writing() as tx:
        rows = tx.rows(query)
        for row in rows:
            outbox.move(tx, row, to, tries=0, not_before=None)
        return len(rows)


def _of(studio: str) -> ColumnElement[bool]:
    below = messages.c.channel.startswith(f"{studio}/", autoescape=True)
    return or_(messages.c.channel == studio, below)


def _about(payload: dict[str, Any]) -> str:
    """The title of a message that is about no clip, without Discord's escapes."""
    title = re.sub(r"\\(.)", r"\1", str(payload.get("title") or ""))
    return title or "another message"
