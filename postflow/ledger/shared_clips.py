"""Delivered clips and the share links that they are in, or are to be in.

What a link is about (a day, a sequence, a batch, a shot) is its *subject*. A subject has one open
link, or several where many clips came after the first was made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import SecretStr
from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    case,
    func,
    or_,
    select,
    update,
)

from postflow.models import FrozenModel

from .clips import batch_changed, is_time
from .ledger import Ledger
from .outbox import rewrite
from .schema import clips, outbox, shared_clips, shares, stacks
from .states import DELIVERED, OPEN, State
from .transaction import Transaction, as_entry, columns_of

Payload = dict[str, Any]

_STACKED = and_(stacks.c.folder_id == clips.c.folder_id, stacks.c.name == clips.c.stack)


class ShareState(StrEnum):
    """`making` is an intent. What is `over` was deleted, revoked, or is about to expire."""

    MAKING = "making"
    OPEN = "open"
    OVER = "over"


class ShareWish(FrozenModel):
    """A delivered clip is to be in the link of this subject; by its folder, where one is named.

    `share`: the link that it is in already.
    """

    subject: str
    name: str
    folder_id: str | None = None
    share: int | None = None


class ShareLink(FrozenModel):
    """An open link. `passphrase` is one that Frame.io made up, and that people have to be told."""

    id: int
    name: str
    access: str
    url: SecretStr
    passphrase: SecretStr | None
    expires_at: datetime | None


class ShareRef(FrozenModel):
    """A link that was made, as Frame.io knows it; perhaps it opens no more."""

    account_id: str
    share_id: str
    name: str


class DeliveredClip(FrozenModel):
    """A clip in Frame.io, and what of it is to be shared: its version stack, else its file."""

    name: str
    relpath: str
    folder_id: str
    stack: str
    account_id: str
    project_id: str
    version_number: int | None
    finished_at: datetime
    asset_id: str

    @property
    def rank(self) -> tuple[int, datetime]:
        """The latest version has the highest."""
        return self.version_number or -1, self.finished_at


class Waiting(FrozenModel):
    """Clips that are in no link of their subject yet; `whole`: their folder is to be shared."""

    subject: str
    clips: int
    since: datetime
    whole: bool


Relink = Callable[[Payload, ShareLink], Payload]
"""Has a message say which link its clip is in."""


def wish(tx: Transaction, clip: RowMapping, wanted: ShareWish) -> None:
    """Inside the caller's transaction. A clip that is delivered anew is in no link yet."""
    values = {"studio": clip["studio"], "since": tx.now, **wanted.model_dump()}
    tx.upsert(shared_clips, {"clip_id": clip["id"]}, **values)


def link_with(
    ledger: Ledger, studio: str, subject: str, asset_id: str, *, seen: datetime, until: datetime
) -> ShareLink | None:
    """The subject's link that opens this asset, if it was there at `seen`, and is until then."""
    query = _links().where(
        _of(studio, subject),
        shares.c.seen_at >= seen,
        or_(shares.c.expires_at.is_(None), shares.c.expires_at > until),
    )
    found = ledger.rows(query.add_columns(shares.c.asset_ids))
    fitting = (row for row in found if asset_id in row["asset_ids"])
    return next((as_entry(ShareLink, row) for row in fitting), None)


def waiting(ledger: Ledger, studio: str) -> list[Waiting]:
    """By subject, those that waited longest first; without what is to be left alone for now."""
    now = ledger.now()
    put_off = select(shares.c.subject).where(shares.c.studio == studio, shares.c.not_before > now)
    unplaced = shared_clips.c.studio == studio, shared_clips.c.share.is_(None)
    query = select(
        shared_clips.c.subject,
        func.count().label("clips"),
        func.min(shared_clips.c.since).label("since"),
        (func.count(shared_clips.c.folder_id) == func.count()).label("whole"),
    ).where(*unplaced, shared_clips.c.subject.not_in(put_off))
    query = query.group_by(shared_clips.c.subject).order_by(func.min(shared_clips.c.since))
    return ledger.entries(Waiting, query)


def on_their_way(ledger: Ledger, studio: str) -> int:
    """Clips that may be delivered within minutes."""
    query = select(func.count()).where(
        clips.c.studio == studio,
        clips.c.state.in_(OPEN),
        clips.c.finished_at.is_(None),
        or_(clips.c.run_id.is_not(None), is_time(ledger.now())),
    )
    return int(ledger.scalars(query)[0])


def links_of_clip(ledger: Ledger, clip_id: int) -> tuple[list[ShareRef], set[str]]:
    """The links that the clip is in or was, by whatever way, and the ids that it has there."""
    mine = select(clips.c.studio, clips.c.file_id, clips.c.stack_id, stacks.c.stack_id.label("on"))
    mine = mine.outerjoin(stacks, _STACKED).where(clips.c.id == clip_id)
    with ledger.reading() as tx:
        clip = tx.one(mine)
        assets = {str(clip[name]) for name in ("file_id", "stack_id", "on") if clip[name]}
        placed = select(shared_clips.c.share).where(shared_clips.c.clip_id == clip_id)
        own = tx.scalar(placed)
        query = select(shares).where(
            shares.c.studio == clip["studio"], shares.c.share_id.is_not(None)
        )
        rows = tx.rows(query.order_by(shares.c.id))
    its = [row for row in rows if row["id"] == own or assets & set(row["asset_ids"])]
    return [as_entry(ShareRef, row) for row in its], assets


def links_of(ledger: Ledger, clip_ids: Collection[int]) -> dict[int, SecretStr]:
    """The address of the open link that each of those clips is in, if it is in one. For people."""
    query = select(shared_clips.c.clip_id, shares.c.url).join(
        shares, shares.c.id == shared_clips.c.share
    )
    query = query.where(shared_clips.c.clip_id.in_(clip_ids), shares.c.state == ShareState.OPEN)
    return {row["clip_id"]: SecretStr(row["url"]) for row in ledger.rows(query) if row["url"]}


def delivered(ledger: Ledger, studio: str) -> list[DeliveredClip]:
    """All that the studio has delivered."""
    asset = func.coalesce(stacks.c.stack_id, clips.c.file_id).label("asset_id")
    query = select(*columns_of(DeliveredClip, clips), asset).outerjoin(stacks, _STACKED)
    query = query.where(
        clips.c.studio == studio,
        clips.c.state.in_(DELIVERED),
        clips.c.finished_at.is_not(None),
        clips.c.file_id.is_not(None),
    )
    return ledger.entries(DeliveredClip, query)


def troubles(ledger: Ledger, studio: str) -> list[tuple[str, str]]:
    """Names of the links that could not be made so far, and why."""
    query = select(shares.c.name, shares.c.reason, shares.c.hint).where(
        shares.c.studio == studio, shares.c.reason.is_not(None), shares.c.state != ShareState.OVER
    )
    found = ledger.rows(query.order_by(shares.c.id))
    return [(row["name"], f"{row['reason']} {row['hint'] or ''}".strip()) for row in found]


def links_of_batch(tx: Transaction, batch_id: int) -> tuple[ShareLink, ...]:
    """The links that the clips of a batch are in, each once, oldest first."""
    mine = select(shared_clips.c.share).join(clips, clips.c.id == shared_clips.c.clip_id)
    query = _links().where(shares.c.id.in_(mine.where(clips.c.batch_id == batch_id)))
    return tuple(as_entry(ShareLink, row) for row in tx.rows(query))


def clips_of(
    tx: Transaction, studio: str, subject: str, *which: ColumnElement[bool]
) -> Sequence[RowMapping]:
    """The subject's clips in the order in which they came, each with the asset to be shared: its
    folder, else the version stack that it is on, else its file.
    """
    is_done = clips.c.state == State.DONE
    on_stack = func.coalesce(stacks.c.stack_id, clips.c.file_id)
    alone = case((is_done, on_stack), else_=clips.c.file_id)
    query = (
        select(
            shared_clips.c.clip_id,
            shared_clips.c.share,
            shared_clips.c.name.label("share_name"),
            func.coalesce(shared_clips.c.folder_id, alone).label("asset_id"),
            *(clips.c[name] for name in ("name", "account_id", "project_id", "batch_id")),
        )
        .join(clips, clips.c.id == shared_clips.c.clip_id)
        .outerjoin(stacks, _STACKED)
        .where(shared_clips.c.studio == studio, shared_clips.c.subject == subject, *which)
    )
    order = shared_clips.c.since, shared_clips.c.clip_id
    return tx.rows(query.order_by(*order))


def place(tx: Transaction, share: int, relink: Relink) -> None:
    """The clips whose assets are in it have that link from now on, and their messages say so."""
    row = tx.one(select(shares).where(shares.c.id == share))
    link, inside = as_entry(ShareLink, row), set(row["asset_ids"])
    ended = select(shares.c.id).where(
        _of(row["studio"], row["subject"], ShareState.OVER), shares.c.id != share
    )
    theirs = or_(shared_clips.c.share.is_(None), shared_clips.c.share.in_(ended))
    found = clips_of(tx, row["studio"], row["subject"], theirs)
    placed = [clip for clip in found if clip["asset_id"] in inside]
    ids = [clip["clip_id"] for clip in placed]
    tx.execute(update(shared_clips).where(shared_clips.c.clip_id.in_(ids)).values(share=share))
    for batch_id in {clip["batch_id"] for clip in placed} - {None}:
        batch_changed(tx, batch_id)
    told = select(outbox).where(outbox.c.clip_id.in_(ids)).order_by(outbox.c.id)
    for message in tx.rows(told):
        rewrite(tx, message, relink(message["payload"], link))


def _links() -> Select[Any]:
    """Open ones, oldest first."""
    query = select(*columns_of(ShareLink, shares)).where(shares.c.state == ShareState.OPEN)
    return query.order_by(shares.c.id)


def _of(studio: str, subject: str, state: ShareState = ShareState.OPEN) -> ColumnElement[bool]:
    return and_(shares.c.studio == studio, shares.c.subject == subject, shares.c.state == state)
