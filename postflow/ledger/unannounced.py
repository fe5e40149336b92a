"""What reviewers have not been told as far as the ledger knows, and what a person decides then."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select

from .models import Untold
from .outbox import move
from .schema import clips, outbox
from .states import MessageState
from .store import Store

# A message that waits so long, or was tried so often, waits for somebody.
LONG = timedelta(minutes=10)
OFTEN = 3

UNDECIDED = (MessageState.UNKNOWN, MessageState.FAILED)


def untold(store: Store, studio: str, *, limit: int = 1000) -> list[Untold]:
    """A studio's messages that were refused, got no answer, or have waited for long; oldest first.

    Those of another webhook than the studio's own are in channels below the studio's.
    """
    waits_long = and_(
        outbox.c.state == MessageState.PENDING,
        or_(outbox.c.since <= store.now() - LONG, outbox.c.tries >= OFTEN),
    )
    query = select(outbox, clips.c.relpath).outerjoin(clips, clips.c.id == outbox.c.clip_id)
    query = query.where(_of(studio), or_(outbox.c.state.in_(UNDECIDED), waits_long))
    with store.reading() as connection:
        rows = connection.execute(query.order_by(outbox.c.id).limit(limit)).mappings().all()
    return [
        Untold(
            about=row["relpath"] or _about(row["payload"]),
            **{name: row[name] for name in Untold.model_fields if name != "about"},
        )
        for row in rows
    ]


def resend(store: Store, key: str | None = None, *, studio: str | None = None) -> int:
    """A person's word that what is unknown, refused or put off is to be sent: this one, or all."""
    put_off = and_(outbox.c.state == MessageState.PENDING, outbox.c.not_before.is_not(None))
    wanted = or_(outbox.c.state.in_(UNDECIDED), put_off)
    return _decide(store, wanted, key, studio, MessageState.PENDING)


def take_for_told(store: Store, key: str | None = None, *, studio: str | None = None) -> int:
    """A person's word that they are in the channel, or that nobody misses them."""
    return _decide(store, outbox.c.state.in_(UNDECIDED), key, studio, MessageState.SENT)


def _decide(
    store: Store,
    which: ColumnElement[bool],
    key: str | None,
    studio: str | None,
    to: MessageState,
) -> int:
    query = select(outbox).where(which).order_by(outbox.c.id)
    if key is not None:
        query = query.where(outbox.c.key == key)
    if studio is not None:
        query = query.where(_of(studio))
    with store.writing() as connection:
        rows = connection.execute(query).mappings().all()
        for row in rows:
            move(connection, row, to, store.now(), tries=0, not_before=None)
        return len(rows)


def _of(studio: str) -> ColumnElement[bool]:
    below = outbox.c.channel.startswith(f"{studio}/", autoescape=True)
    return or_(outbox.c.channel == studio, below)


def _about(payload: dict[str, Any]) -> str:
    """Of a message that is about no clip: its title, without Discord's escapes."""
    title = re.sub(r"\\(.)", r"\1", str(payload.get("title") or ""))
    return title or "another message"
