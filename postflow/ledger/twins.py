"""The same content under two paths: one file in Frame.io, and one message about it.

Other content under one name and version: two versions on a stack, and reviewers are told so.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, or_, select, tuple_

from .entries import Claimed, Namesake
from .schema import clips, outbox, roots
from .states import DELIVERED
from .store import Store


def is_told_elsewhere(store: Store, claim: Claimed) -> bool:
    """Is the clip told of under another path, and has no message of its own yet?

    Once it is delivered, its very file must be the one that is told of.
    """
    told = select(outbox.c.id).where(outbox.c.clip_id == claim.clip_id)
    with store.reading() as connection:
        return bool(connection.scalar(select(exists(_twin(claim)) & ~exists(told))))


def namesake(store: Store, claim: Claimed) -> Namesake | None:
    """The latest of the clip's name and version that was there before it with other content."""
    with store.reading() as connection:
        return namesakes(connection, clips.c.id == claim.clip_id).get(claim.clip_id)


def namesakes(connection: Connection, which: ColumnElement[bool]) -> dict[int, Namesake]:
    """The same of several clips, by their ids."""
    other = clips.alias()
    same = and_(
        other.c.studio == clips.c.studio,
        other.c.folder_id == clips.c.folder_id,
        other.c.stack == clips.c.stack,
        other.c.version_key.is_not_distinct_from(clips.c.version_key),
        other.c.revision != clips.c.revision,
        other.c.state.in_(DELIVERED),
        or_(
            clips.c.finished_at.is_(None),
            tuple_(other.c.finished_at, other.c.id) < tuple_(clips.c.finished_at, clips.c.id),
        ),
    )
    query = (
        select(
            clips.c.id,
            roots.c.path.label("root"),
            other.c.relpath,
            and_(other.c.root_id == clips.c.root_id, other.c.relpath == clips.c.relpath).label(
                "is_same_path"
            ),
            other.c.finished_at,
        )
        .join(other, same)
        .join(roots, roots.c.id == other.c.root_id)
        .where(which)
        .order_by(other.c.finished_at.asc().nulls_last(), other.c.id)
    )
    rows = connection.execute(query).mappings().all()
    return {
        row["id"]: Namesake.model_validate({k: row[k] for k in row if k != "id"}) for row in rows
    }


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
