"""What the ledger tells a person: where every clip stands, and what happened to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, case, func, or_, select

from .clips import attempts_of, is_called
from .ledger import Ledger
from .models import Attempt, Clip, Observation, Step
from .observations import at_path_of_clip
from .schema import attempts, clips, history, leases, observations, roots
from .states import DELIVERED, NEEDS_FILE, OPEN, ObservationState, Phase, State
from .transaction import as_entries, columns_of

FINAL_PHASES = {
    State.DONE: Phase.DELIVERED,
    State.SKIPPED: Phase.SKIPPED,
    State.FAILED: Phase.FAILED,
    State.SUPERSEDED: Phase.SUPERSEDED,
}

PHASES_BEFORE = {Phase.SETTLING: ObservationState.SETTLING, Phase.SET_ASIDE: ObservationState.ASIDE}


REFUSED = "refused"
# Nearly all clips of a studio in the end; what phase they are in needs no second look.
OVER = {State.DONE, State.SUPERSEDED}
STATES_OF = {
    Phase.DELIVERED: DELIVERED,
    Phase.GONE: NEEDS_FILE,
    **{phase: {state} for state, phase in FINAL_PHASES.items() if state is not State.DONE},
    **dict.fromkeys((Phase.WAITING, Phase.ON_ITS_WAY), OPEN),
}
"""States of clips that may be in the phase."""


def counts(ledger: Ledger, studio: str | None = None) -> dict[Phase, int]:
    """How many files stand in each phase; every phase has an entry."""
    phase = _phase(ledger.now())
    of_clips = _clips(studio).with_only_columns(phase, func.count()).group_by(phase)
    of_clips = of_clips.where(clips.c.state.in_(set(State) - OVER))  # by the index
    ended = select(clips.c.state, func.count()).group_by(clips.c.state)
    ended = ended.where(clips.c.state.in_(OVER))
    if studio is not None:
        ended = ended.where(clips.c.studio == studio)
    waited = case((observations.c.refused, REFUSED), else_=observations.c.state)
    of_paths = _observations(studio).with_only_columns(waited, func.count()).group_by(waited)
    of_paths = of_paths.where(observations.c.state.in_(PHASES_BEFORE.values()))
    with ledger.reading() as tx:
        found = Counter({row[0]: row[1] for row in tx.execute(of_clips)})
        for state, count in tx.execute(ended):
            found[FINAL_PHASES[state]] += count
        looked = {row[0]: row[1] for row in tx.execute(of_paths)}
    for name, state in (PHASES_BEFORE | {Phase.REFUSED: REFUSED}).items():
        found[name] = looked.get(state, 0)
    return {name: found.get(name, 0) for name in Phase}


def rows(
    ledger: Ledger,
    *,
    studio: str | None = None,
    phase: Phase | None = None,
    name: str | None = None,
    holding: str | None = None,
    before: tuple[datetime, int] | None = None,
    ids: Collection[int] | None = None,
    limit: int = 1000,
) -> list[Clip]:
    """Clips, the one that changed last first. `name` is a file name or a path below its root.

    `holding`: only those whose path or folder in Frame.io holds that text. `before`: what comes
    after a clip of that `since` and id.
    """
    phase_now = _phase(ledger.now())
    query = _shown(studio, phase_now)
    if phase is not None:
        query = query.where(phase_now == phase)
    if name is not None:
        query = query.where(is_called(name))
    if holding is not None:
        places = (clips.c.relpath, clips.c.folder)
        query = query.where(or_(*(each.icontains(holding, autoescape=True) for each in places)))
    if before is not None:
        at, last = before
        same_moment = and_(clips.c.since == at, clips.c.id < last)
        query = query.where(or_(clips.c.since < at, same_moment))
    if ids is not None:
        query = query.where(clips.c.id.in_(ids))
    query = query.order_by(clips.c.since.desc(), clips.c.id.desc()).limit(limit)
    # One state at a time, each in the order of an index: of many clips only the last are read.
    states = STATES_OF.get(phase, frozenset()) if phase else State
    each_state = [query.where(clips.c.state == each) for each in states] if ids is None else [query]
    with ledger.reading() as tx:
        found = [row for each in each_state for row in tx.rows(each)]
    found.sort(key=itemgetter("since", "id"), reverse=True)
    return as_entries(Clip, found[:limit])


def revisions(ledger: Ledger) -> set[str]:
    """The revisions of all clips that the ledger knows."""
    return set(ledger.scalars(select(clips.c.revision).distinct()))


def unsettled(ledger: Ledger, *, studio: str | None = None, limit: int = 1000) -> list[Observation]:
    """Files that are waited for or refused, the first that was seen first."""
    query = _observations(studio).with_only_columns(*columns_of(Observation, observations))
    query = query.where(observations.c.state == ObservationState.SETTLING)
    query = query.order_by(observations.c.waiting_since, observations.c.relpath).limit(limit)
    return ledger.entries(Observation, query)


def steps(ledger: Ledger, clip_id: int) -> list[Step]:
    """Everything that ever happened to a clip, in order."""
    query = select(*columns_of(Step, history)).where(history.c.clip_id == clip_id)
    return ledger.entries(Step, query.order_by(history.c.id))


def attempts_at(ledger: Ledger, clip_id: int) -> tuple[Attempt, ...]:
    """A clip's upload requests, oldest first."""
    with ledger.reading() as tx:
        return attempts_of(tx, clip_id)


def versions(ledger: Ledger, clip_id: int, *, limit: int = 50) -> list[Clip]:
    """The other clips of its version stack, the one that changed last first."""
    mine = select(clips.c.studio, clips.c.folder_id, clips.c.stack).where(clips.c.id == clip_id)
    with ledger.reading() as tx:
        clip = tx.execute(mine).one()
        if clip.stack is None:
            return []
        same = clips.c.folder_id == clip.folder_id, clips.c.stack == clip.stack
        others = select(clips.c.id).where(*same, clips.c.studio == clip.studio)
        others = others.where(clips.c.id != clip_id).order_by(clips.c.since.desc())
        ids = list(tx.scalars(others.limit(limit)))
    return rows(ledger, ids=ids)


A_DAY = timedelta(days=1)


def last_step(ledger: Ledger) -> int:
    """The number of the last step of any clip; 0 where there is none."""
    return ledger.scalars(select(func.max(history.c.id)))[0] or 0


def delivered_since(ledger: Ledger, studio: str, since: datetime) -> list[tuple[datetime, int]]:
    """When each clip was delivered from that time on, and its size."""
    query = select(clips.c.finished_at, clips.c.size).where(
        clips.c.studio == studio,
        clips.c.state.in_(DELIVERED),
        clips.c.finished_at >= since,
        clips.c.since >= since - A_DAY,  # by an index: a clip is told of soon after it arrived
    )
    return [(row["finished_at"], row["size"]) for row in ledger.rows(query)]


def endings(ledger: Ledger, studio: str, *, after: int | None = None) -> tuple[int, list[Clip]]:
    """The last step there is, and the studio's clips that have ended since the step `after`.

    None: the last step only.
    """
    ended = history.c.now.in_([State.DONE, State.SKIPPED, State.FAILED])
    moved = ended & history.c.was.is_distinct_from(history.c.now)
    query = _clips(studio).with_only_columns(
        *columns_of(Clip, clips), _phase(ledger.now()).label("phase")
    )
    with ledger.reading() as tx:
        last = tx.scalar(select(func.max(history.c.id))) or 0
        since = last if after is None else after
        steps = select(history.c.clip_id).where(history.c.id > since, history.c.id <= last, moved)
        query = query.where(clips.c.id.in_(steps)).order_by(clips.c.since, clips.c.id)
        return last, tx.entries(Clip, query)


def _way() -> ScalarSelect[str]:
    """The way of the clip's last upload that Frame.io had a file for."""
    of_clip = attempts.c.clip_id == clips.c.id, attempts.c.file_id.is_not(None)
    last = select(attempts.c.way).where(*of_clip).order_by(attempts.c.number.desc()).limit(1)
    return last.correlate(clips).scalar_subquery()


def _phase(now: datetime) -> ColumnElement[str]:
    final = [(clips.c.state == state, phase.value) for state, phase in FINAL_PHASES.items()]
    gone = and_(clips.c.state.in_(NEEDS_FILE), observations.c.gone_at.is_not(None))
    delivered = clips.c.finished_at.is_not(None), Phase.DELIVERED.value
    return case(
        (gone, Phase.GONE.value),
        *final,
        delivered,
        (leases.c.expires_at > now, Phase.ON_ITS_WAY.value),
        else_=Phase.WAITING.value,
    )


def _clips(studio: str | None) -> Select[Any]:
    query = select(clips.c.id).outerjoin(leases, leases.c.run_id == clips.c.run_id)
    query = query.outerjoin(observations, at_path_of_clip())
    return query if studio is None else query.where(clips.c.studio == studio)


def _shown(studio: str | None, phase: ColumnElement[str]) -> Select[Any]:
    """The studio's clips as `Clip` has them."""
    columns = (
        *columns_of(Clip, clips),
        roots.c.path.label("root"),
        phase.label("phase"),
        _way().label("way"),
        leases.c.machine,
    )
    of_root = roots.c.id == clips.c.root_id
    return _clips(studio).join(roots, of_root).with_only_columns(*columns)


def _observations(studio: str | None) -> Select[Any]:
    query = select(observations.c.root_id).join(roots, roots.c.id == observations.c.root_id)
    query = query.where(observations.c.gone_at.is_(None))
    return query if studio is None else query.where(roots.c.studio == studio)
