"""Share links: which was made, and who is at it.

One run at a time works on a subject: what it is about to do is written down before, what came of it
afterwards.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import RowMapping, delete, insert, select, update

from postflow.errors import PostFlowError
from postflow.models import MOST_ASSETS, FrozenModel

from .clips import NO_REASON, backoff_after, reason
from .leases import end_dead_runs
from .ledger import Ledger
from .models import Announcement
from .outbox import put, put_over
from .schema import leases, shared_clips, shares
from .shared_clips import Relink, ShareState, clips_of, place
from .states import StaleClaim
from .transaction import Transaction, as_entry

AFRESH = NO_REASON | {"tries": 0, "run_id": None}


class ShareWork(FrozenModel):
    """A link in the hands of one run: to be made of `asset_ids`, or, with a `share_id`, `adding`
    to be added. `resumed`: another run, now dead, or an earlier try may have done it already.
    """

    id: int
    run_id: str
    studio: str
    subject: str
    name: str
    account_id: str
    project_id: str
    asset_ids: tuple[str, ...]
    adding: tuple[str, ...] = ()
    share_id: str | None
    invited: str | None
    intended_at: datetime
    expires_at: datetime | None
    tries: int
    resumed: bool = False
    known: tuple[str, ...] = ()


class Made(FrozenModel):
    """What Frame.io answered."""

    share_id: str
    url: SecretStr
    passphrase: SecretStr | None
    expires_at: datetime | None


class Terms(FrozenModel):
    """What links that are made or used from now on are like: valid beyond `needed_until`.

    So many assets at most are added to one that is there; more become a link of their own.
    """

    access: str
    expires_at: datetime | None
    needed_until: datetime
    most_added: int = 3


def begin(ledger: Ledger, run_id: str, studio: str, subject: str, terms: Terms) -> ShareWork | None:
    """Take the subject in hand; None while another run does, or where nothing is to be done."""
    with ledger.writing() as tx:
        end_dead_runs(tx, but=run_id)
        if tx.scalar(select(leases.c.run_id).where(leases.c.run_id == run_id)) is None:
            return None
        rows = _rows(tx, studio, subject)
        if any(row["run_id"] not in (None, run_id) for row in rows):
            return None
        making = next((row for row in rows if row["state"] == ShareState.MAKING), None)
        if making is not None:
            _write(tx, making["id"], run_id=run_id)
            return _work(tx, making["id"], resumed=True)
        return _next(tx, run_id, studio, subject, rows, terms)


def begin_by_hand(
    ledger: Ledger,
    run_id: str,
    studio: str,
    *,
    subject: str,
    name: str,
    project: tuple[str, str],
    asset_ids: Sequence[str],
    terms: Terms,
) -> ShareWork:
    """A person wants a link of these assets; `project` are the ids of account and project. One that
    was begun, and of which nobody heard, is taken up.
    """
    with ledger.writing() as tx:
        end_dead_runs(tx, but=run_id)
        rows = _rows(tx, studio, subject)
        unheard = (row for row in rows if row["state"] == ShareState.MAKING and not row["run_id"])
        if begun := next(unheard, None):
            _write(tx, begun["id"], run_id=run_id)
            return _work(tx, begun["id"], resumed=True)
        values = {"studio": studio, "subject": subject, "name": name}
        new = _intend(tx, run_id, project, asset_ids, terms, **values)
        return _work(tx, new)


def made(ledger: Ledger, work: ShareWork, made: Made, relink: Relink) -> None:
    """The link is there, and the messages of its clips say so."""
    with _held(ledger, work) as (tx, row):
        secret = made.passphrase.get_secret_value() if made.passphrase else None
        values: dict[str, Any] = {"url": made.url.get_secret_value(), "passphrase": secret}
        values |= {"share_id": made.share_id, "expires_at": made.expires_at, "seen_at": tx.now}
        _write(tx, row["id"], state=ShareState.OPEN, **values, **AFRESH)
        place(tx, row["id"], relink)


def extended(ledger: Ledger, work: ShareWork, relink: Relink) -> None:
    """It is still there, and what was to be added is in it."""
    with _held(ledger, work) as (tx, row):
        inside = [*dict.fromkeys([*row["asset_ids"], *work.adding])]
        _write(tx, row["id"], asset_ids=inside, adding=None, seen_at=tx.now, **AFRESH)
        place(tx, row["id"], relink)


def inviting(ledger: Ledger, work: ShareWork, how: str) -> None:
    """`asking` before the reviewers are invited, `done` afterwards."""
    with _held(ledger, work) as (tx, row):
        _write(tx, row["id"], invited=how)


def over(ledger: Ledger, work: ShareWork) -> None:
    """It opens no more: the subject needs another one."""
    with _held(ledger, work) as (tx, row):
        _write(tx, row["id"], state=ShareState.OVER, adding=None, run_id=None)


def failed(
    ledger: Ledger, work: ShareWork, why: PostFlowError, notice: Announcement | None
) -> None:
    """Not to be tried again before a while; `notice` is put into the outbox."""
    with _held(ledger, work) as (tx, row):
        wait = timedelta(seconds=backoff_after(why, row["tries"]))
        values = {"tries": row["tries"] + 1, "not_before": tx.now + wait, "run_id": None}
        _write(tx, row["id"], **values, **reason(why))
        if notice is not None:
            put(tx, notice)


def mended(ledger: Ledger, notice: Announcement) -> None:
    """What was told to be in trouble is not any more."""
    with ledger.writing() as tx:
        put_over(tx, notice)


def drop(ledger: Ledger, work: ShareWork, gone: Collection[str]) -> list[str]:
    """These assets are no longer in Frame.io. Returns the names of the clips that were meant."""
    with _held(ledger, work) as (tx, row):
        pending = clips_of(tx, row["studio"], row["subject"])
        lost = [clip for clip in pending if clip["asset_id"] in gone]
        ids = [clip["clip_id"] for clip in lost]
        tx.execute(delete(shared_clips).where(shared_clips.c.clip_id.in_(ids)))
        left, adding = (
            [asset for asset in row[which] or () if asset not in gone]
            for which in ("asset_ids", "adding")
        )
        _write(tx, row["id"], asset_ids=left, adding=adding)
        if not left:
            tx.execute(delete(shares).where(shares.c.id == row["id"]))
        return [clip["name"] for clip in lost]


def shrink(ledger: Ledger, work: ShareWork, most: int) -> None:
    """Make it of so few of its assets; the others go into another one."""
    with _held(ledger, work) as (tx, row):
        _write(tx, row["id"], asset_ids=row["asset_ids"][:most])


def _next(
    tx: Transaction,
    run_id: str,
    studio: str,
    subject: str,
    rows: Sequence[RowMapping],
    terms: Terms,
) -> ShareWork | None:
    open_ones = _still_open(tx, rows, terms.needed_until)
    everything = clips_of(tx, studio, subject)
    ended = {row["id"] for row in rows} - {row["id"] for row in open_ones}
    unplaced = [clip for clip in everything if clip["share"] is None]
    if not unplaced:
        return None
    wanted = _distinct(unplaced)
    if open_ones:
        newest = open_ones[-1]
        new = [asset for asset in wanted if asset not in newest["asset_ids"]]
        if len(new) <= terms.most_added:
            was = newest["adding"]
            _write(tx, newest["id"], run_id=run_id, adding=new)
            return _work(tx, newest["id"], resumed=was is not None)
        wanted = new
    else:
        # What an ended link had is in the new one too, the newest of all if they are too many.
        old = [clip for clip in everything if clip["share"] in ended]
        wanted = _distinct([*unplaced, *reversed(old)])
    part = f" ({len(open_ones) + 1})" if open_ones else ""
    first = unplaced[0]
    values = {"studio": studio, "subject": subject, "name": f"{first['share_name']}{part}"}
    project = (first["account_id"], first["project_id"])
    new_id = _intend(tx, run_id, project, wanted[:MOST_ASSETS], terms, **values)
    return _work(tx, new_id)


def _intend(
    tx: Transaction,
    run_id: str,
    project: tuple[str, str],
    asset_ids: Sequence[str],
    terms: Terms,
    **values: Any,
) -> int:
    account_id, project_id = project
    values |= {"account_id": account_id, "project_id": project_id, "asset_ids": list(asset_ids)}
    values |= {"access": terms.access, "expires_at": terms.expires_at, "intended_at": tx.now}
    adding = insert(shares).values(state=ShareState.MAKING, run_id=run_id, **values)
    return int(tx.execute(adding.returning(shares.c.id)).scalar_one())


def _distinct(found: Iterable[RowMapping]) -> list[str]:
    return list(dict.fromkeys(str(clip["asset_id"]) for clip in found))


def _still_open(tx: Transaction, rows: Sequence[RowMapping], until: datetime) -> list[RowMapping]:
    """The links that are open beyond that time; the others count as ended."""
    found = [row for row in rows if row["state"] == ShareState.OPEN]
    for row in found:
        if row["expires_at"] is not None and row["expires_at"] <= until:
            _write(tx, row["id"], state=ShareState.OVER)
    return [row for row in found if row["expires_at"] is None or row["expires_at"] > until]


def _rows(tx: Transaction, studio: str, subject: str) -> Sequence[RowMapping]:
    query = select(shares).where(shares.c.studio == studio, shares.c.subject == subject)
    return tx.rows(query.order_by(shares.c.id))


def _work(tx: Transaction, row_id: int, *, resumed: bool = False) -> ShareWork:
    row = tx.one(select(shares).where(shares.c.id == row_id))
    others = select(shares.c.share_id).where(
        shares.c.project_id == row["project_id"],
        shares.c.name == row["name"],
        shares.c.share_id.is_not(None),
    )
    known = tuple(tx.scalars(others))
    about = {"adding": row["adding"] or (), "run_id": row["run_id"] or ""}
    return as_entry(ShareWork, row, known=known, resumed=resumed, **about)


def _write(tx: Transaction, row_id: int, **values: Any) -> None:
    tx.execute(update(shares).where(shares.c.id == row_id).values(**values))


@contextmanager
def _held(ledger: Ledger, work: ShareWork) -> Iterator[tuple[Transaction, RowMapping]]:
    """Raises StaleClaim where another run has taken the link over."""
    with ledger.writing() as tx:
        query = select(shares).where(shares.c.id == work.id)
        row = tx.row(query)
        if row is None or row["run_id"] != work.run_id:
            raise StaleClaim(
                f"The share link {work.name} is in the hands of another run.",
                hint="Nothing to do: that run makes it.",
                code="ledger.stale_share",
            )
        yield tx, row
