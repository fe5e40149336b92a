"""What happened to clips that ended long ago, put aside. The clips stay, with their links: what was
delivered once is not delivered again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import IO

from sqlalchemy import delete, exists, func, select

from .ledger import Ledger
from .queries import clip_line
from .schema import clips, history
from .states import CLOSED

A_YEAR = timedelta(days=365)
AT_ONCE = 500


def archive(ledger: Ledger, file: IO[str], *, older: timedelta = A_YEAR) -> int:
    """Write the clips that have ended so long ago as lines of JSON, with their steps, and remove
    the steps from the ledger. How many clips.

    What is removed is on the disk before. Cut off and repeated, some lines are there twice.
    """
    before, many = ledger.now() - older, 0
    while ids := _ended(ledger, before):
        with ledger.reading() as connection:
            last = connection.scalar(select(func.max(history.c.id)))
            lines = [clip_line(connection, clip_id) for clip_id in ids]
        file.writelines(f"{line}\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())
        _remove(ledger, ids, last)
        many += len(ids)
    return many


def _ended(ledger: Ledger, before: datetime) -> Sequence[int]:
    """Some of the clips that have steps, the oldest first."""
    has_steps = exists().where(history.c.clip_id == clips.c.id)
    ended = clips.c.state.in_(CLOSED), clips.c.finished_at < before
    query = select(clips.c.id).where(*ended, has_steps).order_by(clips.c.id).limit(AT_ONCE)
    with ledger.reading() as connection:
        return connection.scalars(query).all()


def _remove(ledger: Ledger, ids: Sequence[int], last: int | None) -> None:
    """But for what came after it was written."""
    written = history.c.clip_id.in_(ids), history.c.id <= last
    with ledger.writing() as connection:
        connection.execute(delete(history).where(*written))
