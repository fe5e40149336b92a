"""The same content under two paths: one file in Frame.io, and one message about it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, exists, select

from postflow.ledger.entries import Claimed
from postflow.ledger.schema import clips, outbox
from postflow.ledger.states import DELIVERED
from postflow.ledger.store import Store


def is_told_elsewhere(store: Store, claim: Claimed) -> bool:
    """Is the clip told of under another path, and has no message of its own yet?

    Once it is delivered, its very file must be the one that is told of.
    """
    told = select(outbox.c.id).where(outbox.c.clip_id == claim.clip_id)
    with store.reading() as connection:
        return bool(connection.scalar(select(exists(_twin(claim)) & ~exists(told))))


def _twin(claim: Claimed) -> Select[Any]:
    query = select(clips.c.id).where(
        clips.c.studio == claim.studio,
        clips.c.name == claim.name,
        clips.c.revision == claim.revision,
        clips.c.id != claim.clip_id,
        clips.c.state.in_(DELIVERED),
        clips.c.finished_at.is_not(None),
    )
    return query.where(clips.c.file_id == claim.file_id) if claim.state in DELIVERED else query
