"""Threads that our messages have opened in a channel, by their names: each is opened once.

Whoever sends the first message of a thread opens it by that. Where its answer never came, the next
message opens one anew, as it would be posted anew: a webhook cannot ask which threads there are.
"""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from .schema import insert_into, leases, threads
from .states import StaleClaim


def known(connection: Connection, channel: str, name: str) -> str | None:
    """The thread's id, if it was opened."""
    found = select(threads.c.thread_id).where(threads.c.channel == channel, threads.c.name == name)
    return connection.scalar(found)


def begin(connection: Connection, channel: str, name: str, run_id: str) -> None:
    """This run is about to open it. Raises StaleClaim while another run is at it."""
    at_it = select(leases.c.run_id).join(threads, threads.c.run_id == leases.c.run_id)
    here = threads.c.channel == channel, threads.c.name == name
    if connection.scalar(at_it.where(*here)) not in (None, run_id):
        raise StaleClaim(
            f"Another run opens the thread {name} just now.",
            hint="Nothing to do: the message follows.",
            code="ledger.stale_message",
        )
    _put(connection, channel, name, thread_id=None, run_id=run_id)


def opened(connection: Connection, channel: str, name: str, thread_id: str) -> None:
    """Messages go there from now on, also where another had this name before."""
    _put(connection, channel, name, thread_id=thread_id, run_id=None)


def not_opened(connection: Connection, channel: str, name: str, run_id: str | None) -> None:
    """This run is not at it any more: another may open it, whether it has appeared or not."""
    mine = threads.c.channel == channel, threads.c.name == name, threads.c.run_id == run_id
    connection.execute(update(threads).where(*mine).values(run_id=None))


def _put(
    connection: Connection, channel: str, name: str, *, thread_id: str | None, run_id: str | None
) -> None:
    values = {"thread_id": thread_id, "run_id": run_id}
    adding = insert_into(connection, threads).values(channel=channel, name=name, **values)
    key = [threads.c.channel, threads.c.name]
    connection.execute(adding.on_conflict_do_update(index_elements=key, set_=values))
