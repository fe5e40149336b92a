"""What the page lists: the clips that are not over, and the last that are, on four shelves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from pydantic import SecretStr

from postflow.language import _
from postflow.ledger import (
    Clip,
    Ledger,
    Observation,
    Phase,
    outages,
    progress,
    queries,
    unannounced,
)
from postflow.ledger import shared_clips as links
from postflow.ledger.models import Progress
from postflow.ledger.observations import ABOUT_TO_BE_ENTERED
from postflow.ledger.progress import Left
from postflow.ledger.queue import Wish
from postflow.media import picture
from postflow.models import EPOCH, FrozenModel

from .studios import PageStudio

# Clips of a shelf beside the others, and of one that is looked at alone.
GLANCE = 25
WHOLE = 100


class Kind(StrEnum):
    """The shelves, in the order in which they stand."""

    ATTENTION = "attention"
    TRAVELS = "travels"
    WAITS = "waits"
    DELIVERED = "delivered"


PHASES: Mapping[Kind, tuple[Phase, ...]] = {
    Kind.ATTENTION: (Phase.FAILED, Phase.SKIPPED, Phase.REFUSED),
    Kind.TRAVELS: (Phase.ON_ITS_WAY,),
    Kind.WAITS: (Phase.WAITING, Phase.SETTLING),
    Kind.DELIVERED: (Phase.DELIVERED,),
}


class Asked(FrozenModel):
    """What somebody wants to see: of one shelf, what holds a text, before a clip of that time."""

    text: str = ""
    kind: Kind | None = None
    before: tuple[datetime, int] | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """By a page's address; see `words.place`. What makes no sense there is left out."""
        found = re.fullmatch(r"(\d{1,16})-(\d{1,18})", query.get("before", ""))
        return cls(
            text=query.get("q", "").strip()[:200],
            kind=Kind(query["show"]) if query.get("show") in set(Kind) else None,
            before=found and (EPOCH + timedelta(microseconds=int(found[1])), int(found[2])),
        )


class Entry(FrozenModel):
    """One line: a clip, or a file that is not known to be whole."""

    key: str
    place: str
    relpath: str
    name: str
    root_id: int
    phase: Phase
    size: int
    at: datetime
    clip: Clip | None = None
    reason: str | None = None
    hint: str | None = None
    share: SecretStr | None = None
    pictured: bool = False
    wish: str | None = None

    @property
    def progress(self) -> Progress | None:
        return self.clip.progress if self.clip else None

    @property
    def actions(self) -> tuple[str, ...]:
        """What a person may do about it."""
        if self.clip is None:
            return ("retry",) if self.wish == Wish.CANCEL else ("first", "cancel")
        if self.clip.cancelled:
            return ()
        return _ACTIONS.get(self.phase, ())


_ACTIONS = {
    Phase.WAITING: ("first", "cancel"),
    Phase.ON_ITS_WAY: ("cancel",),
    Phase.FAILED: ("retry",),
    Phase.SKIPPED: ("retry",),
}


class Group(FrozenModel):
    """Lines of one folder and sequence."""

    place: str
    entries: tuple[Entry, ...]


class Shelf(FrozenModel):
    """`count`: how many there are in all; None where somebody searches. `older`: the last shown,
    if more may follow.
    """

    kind: Kind
    count: int | None
    groups: tuple[Group, ...]
    older: tuple[datetime, int] | None = None

    @property
    def empty(self) -> bool:
        return not self.groups


class Board(FrozenModel):
    """All that the page shows of a studio at one moment."""

    counts: Mapping[Kind, int]
    left: Left
    in_the_way: tuple[tuple[str, str], ...]
    outages: tuple[str, ...]
    unannounced: int
    links: tuple[tuple[str, str], ...]
    shelves: tuple[Shelf, ...]


def read(ledger: Ledger, studio: PageStudio, asked: Asked) -> Board:
    """Blocking."""
    counts = queries.counts(ledger, studio.name)
    by_kind = {kind: sum(counts[each] for each in phases) for kind, phases in PHASES.items()}
    kinds = [asked.kind] if asked.kind else list(Kind)
    return Board(
        counts=by_kind,
        left=progress.left(ledger, studio.name),
        in_the_way=tuple(each.told for each in studio.in_the_way),
        outages=tuple(outages.current(ledger, studio.name).values()),
        unannounced=len(unannounced.current(ledger, studio.name)),
        links=tuple(links.troubles(ledger, studio.name)),
        shelves=tuple(_shelf(ledger, studio, asked, kind, by_kind[kind]) for kind in kinds),
    )


def pulse(ledger: Ledger, studio: PageStudio) -> object:
    """Equal as long as nothing worth showing happened, but for the passing of time. Cheap."""
    return (
        queries.last_step(ledger),
        tuple(progress.travelling(ledger, studio.name).items()),
        tuple(queries.unsettled(ledger, studio=studio.name, limit=WHOLE)),
    )


def entries_of(ledger: Ledger, studio: PageStudio, found: Sequence[Clip]) -> list[Entry]:
    """With how far they have come, and the links that they are in."""
    sent = progress.travelling(ledger, studio.name)
    shared = links.links_of(ledger, [clip.id for clip in found])
    return [_of_clip(studio, clip, sent.get(clip.id), shared.get(clip.id)) for clip in found]


def _shelf(ledger: Ledger, studio: PageStudio, asked: Asked, kind: Kind, count: int) -> Shelf:
    limit = WHOLE if asked.kind else GLANCE
    found = _clips(ledger, studio, asked, kind, limit)
    clips = sorted(found, key=lambda clip: (clip.since, clip.id), reverse=True)[:limit]
    entries = entries_of(ledger, studio, clips)
    if not asked.before:
        entries = [*_files(ledger, studio, asked, kind), *entries]
    more = len(found) > limit and bool(clips)
    return Shelf(
        kind=kind,
        count=None if asked.text else count,
        groups=_grouped(entries),
        older=(clips[-1].since, clips[-1].id) if more else None,
    )


def _clips(ledger: Ledger, studio: PageStudio, asked: Asked, kind: Kind, limit: int) -> list[Clip]:
    return [
        clip
        for phase in PHASES[kind]
        for clip in queries.rows(
            ledger,
            studio=studio.name,
            phase=phase,
            holding=asked.text or None,
            before=asked.before,
            limit=limit + 1,
        )
    ]


def _files(ledger: Ledger, studio: PageStudio, asked: Asked, kind: Kind) -> list[Entry]:
    if kind not in {Kind.WAITS, Kind.ATTENTION}:
        return []
    wanted = asked.text.casefold()
    seen = queries.unsettled(ledger, studio=studio.name, limit=10 * WHOLE)
    mine = (each for each in seen if each.refused == (kind is Kind.ATTENTION))
    found = [_of_file(studio, each) for each in mine if wanted in each.relpath.casefold()]
    return found[:WHOLE]


def _of_file(studio: PageStudio, seen: Observation) -> Entry:
    name = seen.relpath.rpartition("/")[2]
    return Entry(
        key=f"file-{seen.root_id}-{seen.relpath.encode().hex()}",
        place=studio.place_of(seen.relpath, name),
        relpath=seen.relpath,
        name=name,
        root_id=seen.root_id,
        phase=Phase.REFUSED if seen.refused else Phase.SETTLING,
        size=seen.size,
        at=seen.waiting_since,
        reason=_(seen.note) if seen.note == ABOUT_TO_BE_ENTERED else seen.note,
        hint=seen.hint,
        wish=seen.wish,
    )


def _of_clip(
    studio: PageStudio, clip: Clip, sent: Progress | None, share: SecretStr | None
) -> Entry:
    return Entry(
        key=f"clip-{clip.id}",
        place=studio.place_of(clip.relpath, clip.name, clip.folder),
        relpath=clip.relpath,
        name=clip.name,
        root_id=clip.root_id,
        phase=clip.phase,
        size=clip.size,
        at=clip.finished_at or clip.since,
        clip=clip.model_copy(update={"progress": sent}),
        reason=clip.reason,
        hint=clip.hint,
        share=share,
        pictured=picture.path_of(clip.revision).exists(),
    )


def _grouped(entries: Iterable[Entry]) -> tuple[Group, ...]:
    """In the order of their first lines."""
    places: dict[str, list[Entry]] = {}
    for entry in entries:
        places.setdefault(entry.place, []).append(entry)
    return tuple(Group(place=place, entries=tuple(found)) for place, found in places.items())
