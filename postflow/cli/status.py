"""`postflow status` and `history`: what became of each clip."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.filesize import decimal
from rich.markup import escape

from postflow.errors import PostFlowError, Retry, printable
from postflow.models import IN_WORDS
from postflow.service.console import out, print_json, tell_doubt, tell_warning

from . import completion
from .app import JsonOption, StudioOption, app, opened
from .queue import how_far, how_much_is_left
from .refreshing import demand_terminal, refreshed
from .share import tell_who_looked, who_looked
from .unannounced import tell_unannounced, unannounced_as_json

if TYPE_CHECKING:
    from postflow.ledger import Clip, Ledger, Observation, Phase, Unannounced
    from postflow.ledger.progress import Left

# Where the facts of a clip stand: so many characters from the left.
INDENT = 14

LimitOption = Annotated[int, typer.Option(help="At most so many clips of a kind.", min=1)]


@app.command()
def status(
    studio: StudioOption = None,
    limit: LimitOption = 50,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Draw it again every 2 s, until q or Ctrl-C.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """What settles, waits, is on its way, failed and what to do, was skipped and why, arrived."""
    if watch and json:
        raise typer.BadParameter("--json is one document: leave out --watch.")
    if watch:
        demand_terminal()
    with opened(studio) as (block, studio, ledger):
        from postflow.folder.enrolment import folders_away

        sign_in = asyncio.run(block.adobe.why_to_sign_in())

        def tell() -> None:
            away = asyncio.run(folders_away(ledger, studio, block.watching.folders))
            away = [*ledger.without_room(), *away]
            tell_status(ledger, studio, away=away, sign_in=sign_in, limit=limit, json=json)

        refreshed(tell) if watch else tell()


@app.command()
def history(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A file's name: only this clip, and who looked at it.",
            autocompletion=completion.clips,
        ),
    ] = None,
    studio: StudioOption = None,
    limit: LimitOption = 50,
    json: JsonOption = False,
) -> None:
    """When each clip was delivered, how long it took, and its link."""
    with opened(studio) as (block, studio, ledger):
        looked = partial(who_looked, block, ledger) if name else None
        tell_history(ledger, studio, name=name, looked=looked, limit=limit, json=json)


@dataclass(frozen=True)
class Overview:
    """What the ledger knows of a studio, and what is in the way of it all."""

    studio: str
    away: Sequence[Retry]
    sign_in: PostFlowError | None
    outages: Mapping[str, str]
    counts: Mapping[Phase, int]
    left: Left
    unannounced: Sequence[Unannounced]
    others: Mapping[str, int]
    settling: Sequence[Observation]
    clips: Sequence[Clip]
    links: Sequence[tuple[str, str]] = ()
    feeds: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        sign_in = self.sign_in
        return {
            "away": [{"reason": lost.message, "hint": lost.hint} for lost in self.away],
            "sign_in": sign_in and {"reason": sign_in.message, "hint": sign_in.hint},
            "outages": self.outages,
            "counts": self.counts,
            "left": self.left.model_dump(),
            "unannounced": unannounced_as_json(self.unannounced, studio=self.studio),
            "others": self.others,
            "settling": [each.model_dump(mode="json") for each in self.settling],
            "clips": [_clip_as_json(each) for each in self.clips],
            "links": [{"name": name, "reason": why} for name, why in self.links],
            "feeds": self.feeds,
        }

    def tell(self) -> None:
        from postflow.ledger import Phase

        for trouble in (*self.away, *([self.sign_in] if self.sign_in else [])):
            tell_warning(trouble, out)
        for reason in self.outages.values():
            out.print(f"[yellow]![/yellow] Clips wait for this: {escape(reason)}")
        told = [f"{self.counts[phase]} {phase}" for phase in Phase if self.counts[phase]]
        out.print(", ".join(told) or "No clip has been seen yet.")
        if self.left.clips:
            out.print(f"Left: {how_much_is_left(self.left)}.")
        tell_unannounced(self.unannounced, studio=self.studio)
        for name, why in self.links:
            said = f"The share link {name} could not be made: {why}"
            out.print(f"[yellow]![/yellow] {escape(said)}")
        for why in self.feeds.values():
            out.print(f"[yellow]![/yellow] {escape(why)}")
        self._tell_others()
        for each in self.settling:
            _tell_settling(each)
        for clip, name in _names(self.clips):
            _tell(clip, name)

    def _tell_others(self) -> None:
        from postflow.media.kinds import UNREAD

        others = dict(self.others)
        if unread := others.pop(UNREAD, 0):
            what = "Files and folders that cannot be read, or whose names cannot travel"
            remedy = f"postflow scan --studio {self.studio} names them."
            tell_doubt(f"{what}: {unread}.", remedy, out)
        if others:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(others.items()))
            _line(f"  no clips    {kinds}")


def tell_status(
    ledger: Ledger,
    studio: str,
    *,
    away: Sequence[Retry] = (),
    sign_in: PostFlowError | None = None,
    limit: int = 50,
    json: bool = False,
) -> None:
    """The latest `limit` clips of each phase; what needs a person does not drown in deliveries."""
    from postflow.ledger import (
        feeds,
        observations,
        outages,
        progress,
        queries,
        shared_clips,
        unannounced,
    )

    overview = Overview(
        studio=studio,
        away=away,
        sign_in=sign_in,
        outages=outages.current(ledger, studio),
        counts=queries.counts(ledger, studio),
        left=progress.left(ledger, studio),
        unannounced=unannounced.current(ledger, studio),
        others=observations.others(ledger, studio),
        settling=queries.unsettled(ledger, studio=studio, limit=limit),
        clips=_latest(ledger, studio, limit),
        links=shared_clips.troubles(ledger, studio),
        feeds=feeds.troubles(ledger, studio),
    )
    if json:
        print_json(overview.as_json())
    else:
        overview.tell()


def _latest(ledger: Ledger, studio: str, limit: int) -> list[Clip]:
    """In the order of the journey; what is over without a person is left out."""
    from postflow.ledger import Phase, progress, queries

    phases = (Phase.WAITING, Phase.ON_ITS_WAY, Phase.FAILED, Phase.SKIPPED, Phase.DELIVERED)
    sent = progress.travelling(ledger, studio)
    return [
        clip.model_copy(update={"progress": sent.get(clip.id)})
        for phase in phases
        for clip in queries.rows(ledger, studio=studio, phase=phase, limit=limit)
    ]


def tell_history(
    ledger: Ledger,
    studio: str,
    *,
    name: str | None = None,
    looked: Callable[[Sequence[Clip]], list[dict[str, str]]] | None = None,
    limit: int = 50,
    json: bool = False,
) -> None:
    """Deliveries, the last one first; of those of one name also who `looked`."""
    from postflow.ledger import Phase, queries

    clips = queries.rows(ledger, studio=studio, phase=Phase.DELIVERED, name=name, limit=limit)
    seen = looked(clips) if looked and clips else None
    if json:
        more = {} if seen is None else {"looked": seen}
        print_json([_clip_as_json(each) | more for each in clips])
        return
    for clip, name in _names(clips):
        facts = f"{_when(clip)}  {_took(clip):>6}  {decimal(clip.size):>8}"
        _line(f"{facts}  {name}  {clip.view_url or ''}".rstrip())
    if not clips:
        out.print("No clip has been delivered yet.")
    if seen is not None:
        tell_who_looked(seen)


def _clip_as_json(clip: Clip) -> dict[str, Any]:
    from postflow.media.picture import path_of

    picture = path_of(clip.revision)
    return clip.model_dump(mode="json") | {"picture": str(picture) if picture.exists() else None}


def _names(clips: Sequence[Clip]) -> Iterator[tuple[Clip, str]]:
    """Each with its path in its folder, or its whole path where several folders have that one."""
    homes: defaultdict[str, set[str | None]] = defaultdict(set)
    for clip in clips:
        homes[clip.relpath].add(clip.root)
    for clip in clips:
        shared = clip.root is not None and len(homes[clip.relpath]) > 1
        yield clip, f"{clip.root}/{clip.relpath}" if shared else clip.relpath


def _tell_settling(file: Observation) -> None:
    from postflow.ledger import Phase

    word = Phase.REFUSED if file.refused else Phase.SETTLING
    _line(f"  {word:<10}  {file.relpath}: {file.note or 'just seen'}")
    if file.hint:
        _line(" " * INDENT + f"→ {file.hint}")


def _tell(clip: Clip, name: str) -> None:
    way = f"  {IN_WORDS[clip.way]}" if clip.way in IN_WORDS else ""
    host = f"  from {clip.host}" if clip.host else ""
    # Of a clip that is not there the link leads to what was withdrawn.
    link = f"  {clip.view_url or ''}" if clip.phase == "delivered" else ""
    _line(f"  {clip.phase:<10}  {name}{way}{host}{link}".rstrip())
    for detail in _details(clip):
        _line(" " * INDENT + detail)


def _details(clip: Clip) -> Iterator[str]:
    from postflow.ledger import Phase
    from postflow.page.words import lacks

    if clip.phase is Phase.DELIVERED and (missing := lacks(clip)):
        yield missing
    if clip.cancelled:
        yield f"It is being stopped: cancelled {clip.cancelled}."
    elif clip.progress:
        yield how_far(clip.progress)
    elif clip.priority and clip.phase is Phase.WAITING:
        yield "It goes before others."
    if clip.doubt:
        yield f"Please check: the file {clip.doubt}."
    if clip.reason:
        yield clip.reason
        yield f"→ {clip.hint}"
    if clip.not_before:
        yield f"It is tried again at {clip.not_before.astimezone():%H:%M}."


def _line(text: str) -> None:
    out.print(printable(text), markup=False, hang=INDENT)


def _when(clip: Clip) -> str:
    return f"{clip.finished_at.astimezone():%Y-%m-%d %H:%M}" if clip.finished_at else ""


def _took(clip: Clip) -> str:
    if not clip.finished_at or not clip.started_at:
        return ""
    return f"{(clip.finished_at - clip.started_at).total_seconds():.0f} s"
