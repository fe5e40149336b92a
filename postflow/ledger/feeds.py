"""Feeds: what happened in a studio, told in order to somebody outside who is not Discord.

A feed reads the history of clips and the notices in the outbox from where it stood. Both are
numbered in the order in which they were committed, since the ledger has one writer at a time. One
run at a time tells a feed; what it has told it notes afterwards, so a run that dies in between
tells one event twice, under the same id.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import Row, Table, and_, func, not_, or_, select, update

from postflow.models import FrozenModel

from .leases import alive
from .ledger import Ledger
from .schema import clips, feeds, history, outbox, roots
from .states import DELIVERED, StaleClaim, State
from .transaction import Transaction, as_entry

Kind = Literal["delivered", "failed", "skipped", "notice", "test"]
KINDS: dict[str, Kind] = {
    **dict.fromkeys(DELIVERED, "delivered"),
    State.FAILED: "failed",
    State.SKIPPED: "skipped",
}

# Messages about clips, whose events are told one by one.
OF_CLIPS = ("%/batch-%", "%/skipped-%", "%/call")


class Event(FrozenModel):
    """Something that happened, as it stood then; `id` is the same each time it is told.

    A notice has a `title` and a `reason`; all others are about a clip: its name and what it means,
    its path on this machine, its size in bytes, and where it is in Frame.io, if it came there.
    """

    id: str
    kind: Kind
    at: datetime
    studio: str
    title: str | None = None
    file: str | None = None
    path: str | None = None
    size: int | None = None
    sequence: str | None = None
    shot: str | None = None
    version: str | None = None
    folder: str | None = None
    file_id: str | None = None
    view_url: str | None = None
    reason: str | None = None
    hint: str | None = None
    code: str | None = None


class Place(FrozenModel):
    """Where a feed stands: the last line of the history and the last notice that were told."""

    feed: str
    run_id: str | None
    history_id: int
    notice_id: int
    trouble: str | None


class Upcoming(FrozenModel):
    """The next event of a feed, and where the feed stands once it is told."""

    event: Event
    after: Place = Field(exclude=True)


def take(ledger: Ledger, feed: str, run_id: str) -> Place | None:
    """Where to go on, or None while another living run tells it. A new feed begins now."""
    with ledger.writing() as tx:
        here = {"history_id": _last(tx, history), "notice_id": _last(tx, outbox)}
        tx.add_new(feeds, feed=feed, **here)
        own, others = feeds.c.run_id == run_id, alive(tx.now)
        free = or_(feeds.c.run_id.is_(None), own, feeds.c.run_id.not_in(others))
        taking = update(feeds).where(feeds.c.feed == feed, free).values(run_id=run_id)
        row = tx.row(taking.returning(*feeds.c))
        return as_entry(Place, row) if row else None


def has_news(ledger: Ledger, feed: str, studio: str) -> bool:
    """Whether there is something to tell, by whichever run."""
    (place,) = ledger.entries(Place, select(feeds).where(feeds.c.feed == feed))
    return bool(upcoming(ledger, place, studio, limit=1))


def upcoming(ledger: Ledger, place: Place, studio: str, *, limit: int = 50) -> list[Upcoming]:
    """What comes next, oldest first: of clips, then notices."""
    with ledger.reading() as tx:
        coming = _of_clips(tx, place, studio, limit)
        return coming + _notices(tx, coming[-1].after if coming else place, studio, limit)


def told(ledger: Ledger, place: Place) -> None:
    """Go on from there. Raises StaleClaim when another run has taken the feed over."""
    _note(ledger, place, history_id=place.history_id, notice_id=place.notice_id, trouble=None)


def not_told(ledger: Ledger, place: Place, why: str) -> None:
    """The feed waits; `postflow status` says why. Raises StaleClaim likewise."""
    _note(ledger, place, trouble=why)


def leave(ledger: Ledger, run_id: str) -> None:
    """Others may tell what this run told."""
    with ledger.writing() as tx:
        tx.execute(update(feeds).where(feeds.c.run_id == run_id).values(run_id=None))


def troubles(ledger: Ledger, studio: str | None = None) -> dict[str, str]:
    """The feeds that wait, and why."""
    query = select(feeds.c.feed, feeds.c.trouble).where(feeds.c.trouble.is_not(None))
    if studio is not None:
        query = query.where(feeds.c.feed.startswith(f"{studio}/", autoescape=True))
    return {row["feed"]: row["trouble"] for row in ledger.rows(query)}


def _note(ledger: Ledger, place: Place, **values: object) -> None:
    mine = and_(feeds.c.feed == place.feed, feeds.c.run_id == place.run_id)
    with ledger.writing() as tx:
        if not tx.execute(update(feeds).where(mine).values(values)).rowcount:
            raise StaleClaim(
                f"The feed {place.feed} is in the hands of another run.",
                hint="Nothing to do: that run goes on.",
                code="ledger.stale_feed",
            )


def _last(tx: Transaction, table: Table) -> int:
    return tx.scalar(select(func.max(table.c.id))) or 0


def _of_clips(tx: Transaction, place: Place, studio: str, limit: int) -> list[Upcoming]:
    """Moves that a person would hear of: a delivered clip's later moves are none."""
    columns = (clips.c.name, clips.c.relpath, clips.c.size, clips.c.folder, clips.c.file_id)
    changed = or_(history.c.was.is_(None), history.c.was != history.c.now)
    again = and_(history.c.now.in_(DELIVERED), history.c.was.in_(DELIVERED))
    query = (
        select(history.c.id, history.c.at, history.c.now, history.c.detail, *columns)
        .add_columns(roots.c.path.label("root"), clips.c.view_url, clips.c.hint, clips.c.code)
        .join(clips, clips.c.id == history.c.clip_id)
        .join(roots, roots.c.id == clips.c.root_id)
        .where(history.c.id > place.history_id, clips.c.studio == studio)
        .where(history.c.now.in_(KINDS), changed, not_(again))
        .order_by(history.c.id)
        .limit(limit)
    )
    return [
        Upcoming(event=_of_clip(row, studio), after=place.model_copy(update={"history_id": row.id}))
        for row in tx.execute(query)
    ]


def _of_clip(row: Row[Any], studio: str) -> Event:
    """The reason is that of the moment; what to do is known while nothing else has happened."""
    why = (row.detail or {}) if KINDS[row.now] != "delivered" else {}
    return Event(
        id=f"clip-{row.id}",
        kind=KINDS[row.now],
        at=row.at,
        studio=studio,
        file=row.name,
        path=f"{row.root}/{row.relpath}",
        size=row.size,
        folder=row.folder,
        file_id=row.file_id,
        view_url=row.view_url,
        reason=why.get("reason"),
        hint=row.hint if why and row.code == why.get("code") else None,
        code=why.get("code"),
    )


def _notices(tx: Transaction, place: Place, studio: str, limit: int) -> list[Upcoming]:
    """What the studio's channel is told that is about no clip of its own, as it says now."""
    query = (
        select(outbox.c.id, outbox.c.made_at, outbox.c.payload)
        .where(outbox.c.id > place.notice_id, outbox.c.clip_id.is_(None))
        .where(outbox.c.channel == studio, *(outbox.c.key.not_like(each) for each in OF_CLIPS))
        .order_by(outbox.c.id)
        .limit(limit)
    )
    found = []
    for row in tx.execute(query):
        event = Event(
            id=f"notice-{row.id}",
            kind="notice",
            at=row.made_at,
            studio=studio,
            title=row.payload.get("title"),
            reason=row.payload.get("description"),
        )
        found.append(Upcoming(event=event, after=place.model_copy(update={"notice_id": row.id})))
    return found
