"""Which living processes call Frame.io as the same user: it counts their calls together."""

from __future__ import annotations

from sqlalchemy import func, select, update

from .ledger import Ledger
from .schema import leases


def note(ledger: Ledger, run_id: str, user: str | None) -> int:
    """The run calls Frame.io as `user`, or not at all for now; how many processes do as that user?

    One that died counts until its lease has run out.
    """
    mine = leases.c.run_id == run_id
    with ledger.reading() as connection:
        noted = connection.scalar(select(leases.c.frameio_user).where(mine))
    if noted != user:
        with ledger.writing() as connection:
            connection.execute(update(leases).where(mine).values(frameio_user=user))
    if user is None:
        return 1
    living = (
        select(leases.c.machine, leases.c.pid)
        .where(leases.c.frameio_user == user, leases.c.expires_at > ledger.now())
        .distinct()
        .subquery()
    )
    with ledger.reading() as connection:
        return max(1, connection.scalar(select(func.count()).select_from(living)) or 0)
