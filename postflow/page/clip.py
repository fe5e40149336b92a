"""One clip in full: its history, its other versions, and where it would go by other values."""

from __future__ import annotations

from typing import TypedDict

from postflow.errors import PostFlowError
from postflow.ledger import Ledger, Step, queries
from postflow.ledger.models import Attempt
from postflow.models import FrozenModel, Shot
from postflow.naming.naming import Explanation

from .listing import Entry, entries_of
from .studios import PageStudio


class Story(FrozenModel):
    """What the ledger knows of it, oldest first."""

    entry: Entry
    steps: tuple[Step, ...]
    attempts: tuple[Attempt, ...]
    versions: tuple[Entry, ...]


class Meant(FrozenModel):
    """What somebody says a clip is: where it would go, or why that cannot be."""

    sequence: str
    shot: str
    goes: Shot | None = None
    why: str | None = None
    hint: str | None = None


def read(ledger: Ledger, studio: PageStudio, clip_id: int) -> Story | None:
    """None for one that is not the studio's. Blocking."""
    found = queries.rows(ledger, studio=studio.name, ids=[clip_id])
    if not found:
        return None
    clip = found[0]
    others = queries.versions(ledger, clip_id)
    mine, *versions = entries_of(ledger, studio, [clip, *others])
    return Story(
        entry=mine,
        steps=tuple(queries.steps(ledger, clip_id)),
        attempts=queries.attempts_at(ledger, clip_id),
        versions=tuple(versions),
    )


class Proposal(TypedDict):
    """The sequence and shot of a name, or else of the nearest right one; and what it means."""

    meant: Meant
    explained: Explanation


def proposal(studio: PageStudio, name: str) -> Proposal:
    told = studio.naming.explain(name)
    nearest = told.shot or (studio.shot_of(told.nearest) if told.nearest else None)
    sequence, shot = (nearest.sequence, nearest.shot) if nearest else (None, None)
    return Proposal(meant=meant(studio, name, sequence or "", shot or ""), explained=told)


def meant(studio: PageStudio, name: str, sequence: str, shot: str) -> Meant:
    """By hand, as `postflow upload --scene --shot` has it."""
    given = {"sequence": sequence.strip(), "shot": shot.strip()}
    try:
        scene, number = given["sequence"] or None, given["shot"] or None
        return Meant(**given, goes=studio.naming.identify(name, scene=scene, shot=number))
    except PostFlowError as why:
        return Meant(**given, why=why.told.message, hint=why.told.hint)
