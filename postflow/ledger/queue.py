"""What waits: a person puts clips first, or takes them out.

A clip that a run has, or had begun when it died, is marked only: that run, or the next one, ends
it, since it may have left something in Frame.io.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    func,
    or_,
    select,
    update,
)

from postflow.errors import Fatal
from postflow.language import N_
from postflow.models import FrozenModel, MediaFile, nfc

from .clips import change, held, is_called, move, reason
from .leases import end_dead_runs
from .ledger import Ledger
from .models import Announcement, Claimed
from .outbox import put_over
from .schema import clips, observations, roots
from .states import UNDELIVERED, ObservationState, State
from .transaction import Transaction, as_entry

CANCELLED = "clip.cancelled"
BY_COMMAND = N_("with `postflow cancel`")
IN_PREFECT = N_("in Prefect's UI")
ON_PAGE = N_("on PostFlow's page")

Announce = Callable[[int, MediaFile], Announcement | None]
"""What the message of a cancelled clip says instead, if the clip has one."""


class Outcome(StrEnum):
    """What came of a person's word about one clip."""

    FIRST = "first"
    FIRST_WHEN_WHOLE = "first when whole"
    TRAVELS = "travels"
    CANCELLED = "cancelled"
    CANCELLED_WHEN_WHOLE = "cancelled when whole"
    IS_STOPPED = "is stopped"
    IS_TIDIED = "is tidied"
    ALREADY = "already"


class Wish(StrEnum):
    """What a person wants of a file that settles; done when it becomes a clip."""

    FIRST = "first"
    CANCEL = "cancel"


class Spot(FrozenModel):
    """A path at which a clip is, or a file that settles. `open`: it may still travel."""

    root_id: int
    root: Path
    relpath: str
    open: bool

    @property
    def path(self) -> Path:
        return self.root / self.relpath


def cancelled(name: str, how: str) -> Fatal:
    return Fatal(
        "Somebody cancelled {name} {how}.",
        hint="Deliver it after all with “Try again” on PostFlow's page, or `postflow retry "
        "{name}`.",
        code="clip.cancelled",
        name=name,
        how=N_(how),
    )


def spots(ledger: Ledger, name: str, *, studio: str) -> list[Spot]:
    """Where something goes by a file name, a path below its root or a path on disk."""
    is_path = Path(name).is_absolute()
    wanted = nfc(Path(name).name if is_path else name)
    with ledger.reading() as tx:
        found = _clips_called(tx, wanted, studio)
        found += _settling_called(tx, wanted, studio)
    merged: dict[tuple[int, str], Spot] = {}
    for spot in found:
        key = spot.root_id, spot.relpath
        merged[key] = spot if spot.open or key not in merged else merged[key]
    return [s for s in merged.values() if not is_path or nfc(str(s.path)) == nfc(name)]


def put_first(ledger: Ledger, spot: Spot) -> Outcome | None:
    """What waits at that path goes before all else that waits. None where nothing does."""
    with ledger.writing() as tx:
        end_dead_runs(tx)
        rows = tx.rows(_undelivered().where(*_at(spot)))
        wished = _wish(tx, Wish.FIRST, _settles(), *_seen_at(spot))
        highest = select(func.max(clips.c.priority)).where(clips.c.state.in_(UNDELIVERED))
        for row in rows:
            if row["run_id"] is None:
                top = (tx.scalar(highest) or 0) + 1
                change(tx, row, event="first", priority=top, not_before=None)
    if any(row["run_id"] is None for row in rows):
        return Outcome.FIRST
    if wished:
        return Outcome.FIRST_WHEN_WHOLE
    return Outcome.TRAVELS if rows else None


def cancel(
    ledger: Ledger, studio: str, how: str, announce: Announce, *, at: Spot | None = None
) -> list[tuple[str, Outcome]]:
    """Cancel what waits, travels or settles: at one path, or all. Returns each path's outcome."""
    roots_here = select(roots.c.id).where(roots.c.studio == studio)
    here = _at(at) if at else [clips.c.studio == studio]
    seen = _seen_at(at) if at else [observations.c.root_id.in_(roots_here)]
    with ledger.writing() as tx:
        end_dead_runs(tx)
        rows = tx.rows(_undelivered().where(*here))
        told = [(row["relpath"], _cancel(tx, row, how, announce)) for row in rows]
        unwished = observations.c.wish.is_distinct_from(Wish.CANCEL)
        settling = _wish(tx, Wish.CANCEL, _settles(), unwished, *seen)
    return told + [(relpath, Outcome.CANCELLED_WHEN_WHOLE) for relpath in settling]


def mark_cancelled(ledger: Ledger, claim: Claimed, how: str) -> None:
    """A clip of a run is to be stopped by that run. Raises StaleClaim."""
    with ledger.writing() as tx:
        row = held(tx, claim)
        if row["state"] in UNDELIVERED and not row["cancelled"]:
            change(tx, row, event="cancel asked", cancelled=how)


def how_cancelled(ledger: Ledger, claim: Claimed) -> str | None:
    """How somebody stopped the claimed clip, if somebody did."""
    mine = clips.c.id == claim.clip_id, clips.c.token == claim.token
    return next(iter(ledger.scalars(select(clips.c.cancelled).where(*mine))), None)


def forget_wish(ledger: Ledger, spot: Spot) -> bool:
    """A file that settles is to travel once it is whole, whatever was said before."""
    wished = observations.c.wish == Wish.CANCEL
    with ledger.writing() as tx:
        return bool(_wish(tx, None, _settles(), wished, *_seen_at(spot)))


def fulfil(tx: Transaction, clip_id: int, wish: str | None) -> State:
    """A file has become a clip; what was wished of it happens."""
    row = tx.one(select(clips).where(clips.c.id == clip_id))
    if wish == Wish.FIRST:
        highest = tx.scalar(select(func.max(clips.c.priority))) or 0
        change(tx, row, event="first", priority=highest + 1)
    elif wish == Wish.CANCEL:
        _fail(tx, row, cancelled(row["name"], BY_COMMAND))
        return State.FAILED
    return State(row["state"])


def _cancel(tx: Transaction, row: RowMapping, how: str, announce: Announce) -> Outcome:
    if row["state"] == State.READY and row["run_id"] is None:
        _fail(tx, row, cancelled(row["name"], how))
        if message := announce(row["id"], _media(tx, row)):
            put_over(tx, message)
        return Outcome.CANCELLED
    if row["cancelled"]:
        return Outcome.ALREADY
    soon = {} if row["run_id"] else {"not_before": None}
    change(tx, row, event="cancel asked", cancelled=how, **soon)
    return Outcome.IS_STOPPED if row["run_id"] else Outcome.IS_TIDIED


def _fail(tx: Transaction, row: RowMapping, why: Fatal) -> None:
    detail = {"code": why.code, "reason": why.told.message}
    move(tx, row, State.FAILED, detail=detail, not_before=None, **reason(why))


def _media(tx: Transaction, row: RowMapping) -> MediaFile:
    root = select(roots.c.path).where(roots.c.id == row["root_id"])
    path = Path(tx.execute(root).scalar_one()) / row["disk_path"]
    about = {name: row[name] for name in ("size", "mtime_ns", "fingerprint", "doubt")}
    return MediaFile(path=path, **about)


def _wish(tx: Transaction, wish: Wish | None, *where: ColumnElement[bool]) -> list[str]:
    """The relpaths of those files of which that is wished now."""
    wishing = update(observations).where(*where).values(wish=wish)
    return list(tx.scalars(wishing.returning(observations.c.relpath)))


def _undelivered() -> Select[Any]:
    return select(clips).where(clips.c.state.in_(UNDELIVERED)).order_by(clips.c.id)


def _settles() -> ColumnElement[bool]:
    return and_(observations.c.state == ObservationState.SETTLING, observations.c.gone_at.is_(None))


def _at(spot: Spot) -> list[ColumnElement[bool]]:
    return [clips.c.root_id == spot.root_id, clips.c.relpath == spot.relpath]


def _seen_at(spot: Spot) -> list[ColumnElement[bool]]:
    return [observations.c.root_id == spot.root_id, observations.c.relpath == spot.relpath]


def _clips_called(tx: Transaction, name: str, studio: str) -> list[Spot]:
    is_open = clips.c.state.in_(UNDELIVERED).label("open")
    query = select(clips.c.root_id, roots.c.path.label("root"), clips.c.relpath, is_open)
    query = query.join(roots, roots.c.id == clips.c.root_id).where(
        clips.c.studio == studio,
        clips.c.state != State.SUPERSEDED,
        is_called(name),
    )
    return tx.entries(Spot, query.order_by(clips.c.id))


def _settling_called(tx: Transaction, name: str, studio: str) -> list[Spot]:
    relpath = observations.c.relpath
    query = select(observations.c.root_id, roots.c.path.label("root"), relpath)
    query = query.join(roots, roots.c.id == observations.c.root_id).where(
        roots.c.studio == studio,
        _settles(),
        or_(relpath == name, relpath.endswith(f"/{name}", autoescape=True)),
    )
    return [as_entry(Spot, row, open=True) for row in tx.rows(query.order_by(relpath))]
