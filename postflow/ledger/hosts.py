"""Which hosts deliver for a studio, and what they last said of themselves."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import delete, func, select, update

from postflow.errors import Fatal
from postflow.models import FrozenModel

from .ledger import Ledger
from .schema import clips, hosts
from .transaction import columns_of

Part = Literal["watch", "ingest"]


class HostSign(FrozenModel):
    """What a watcher, or a run of `ingest`, says of its host now and then.

    `folders` are within reach, by the root's id; `missing` ones are not, and why. `ahead`: seconds
    that the host's clock is ahead of the ledger's.
    """

    studio: str
    name: str
    part: Part
    machine: str
    run_id: str
    since: datetime
    at_once: int
    ahead: float
    folders: dict[int, str]
    missing: dict[str, str]
    scanned_at: datetime | None


class Host(HostSign):
    """A host as it is known now. `travelling`: clips of this run that are on their way."""

    seen_at: datetime
    expires_at: datetime
    lives: bool
    travelling: int


def sign(ledger: Ledger, said: HostSign, *, lasts: timedelta) -> None:
    """The host lives, and is thought to for so long. What died before it is forgotten."""
    with ledger.writing() as tx:
        same = hosts.c.studio == said.studio, hosts.c.name == said.name, hosts.c.part == said.part
        gone = hosts.c.machine != said.machine, hosts.c.expires_at <= tx.now
        tx.execute(delete(hosts).where(*same, *gone))
        values = said.model_dump() | {"seen_at": tx.now, "expires_at": tx.now + lasts}
        values["folders"] = {str(root): path for root, path in said.folders.items()}
        tx.upsert(hosts, values)


def leave(ledger: Ledger, said: HostSign) -> None:
    """It ends in good order; what it said last is kept."""
    mine = hosts.c.studio == said.studio, hosts.c.run_id == said.run_id
    with ledger.writing() as tx:
        tx.execute(update(hosts).where(*mine).values(expires_at=tx.now))


def forget(ledger: Ledger, studio: str, name: str) -> bool:
    """Was there such a host? Raises Fatal `host.lives`."""
    with ledger.writing() as tx:
        mine = hosts.c.studio == studio, hosts.c.name == name
        living = select(hosts.c.name).where(*mine, hosts.c.expires_at > tx.now)
        if tx.execute(living).first():
            raise Fatal(
                "The host {name} lives: without its deployments it would deliver nothing more.",
                hint="Stop its `postflow up` first; one that was lost lives for a minute more.",
                code="host.lives",
                name=name,
            )
        return tx.execute(delete(hosts).where(*mine)).rowcount > 0


def known(ledger: Ledger, studio: str) -> list[Host]:
    """By name, the watcher of each first."""
    now = ledger.now()
    travelling = select(func.count()).where(clips.c.run_id == hosts.c.run_id).scalar_subquery()
    lives = (hosts.c.expires_at > now).label("lives")
    query = select(*columns_of(HostSign, hosts), hosts.c.seen_at, hosts.c.expires_at, lives)
    query = query.add_columns(travelling.label("travelling")).where(hosts.c.studio == studio)
    return ledger.entries(Host, query.order_by(hosts.c.name, hosts.c.part.desc()))


def sharing(ledger: Ledger, studio: str, roots: Collection[int]) -> int:
    """How many hosts live that have one of these folders within reach."""
    living = [each for each in known(ledger, studio) if each.lives]
    return len({each.name for each in living if each.folders.keys() & set(roots)})
