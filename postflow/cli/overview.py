"""What `postflow status` and `history` print."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.filesize import decimal
from rich.markup import escape

from postflow.errors import PostFlowError, Retry
from postflow.folder.enrolment import why_not_watched
from postflow.ledger import (
    Clip,
    Ledger,
    Observation,
    Phase,
    State,
    Unannounced,
    observations,
    outages,
    outbox,
    queries,
)
from postflow.media import volume
from postflow.media.kinds import UNREAD
from postflow.service.console import out, print_json, tell_doubt, tell_warning

from .news import tell_unannounced, unannounced_as_json

# In the order of the journey; what is over without a person is left out.
SHOWN = (Phase.WAITING, Phase.ON_ITS_WAY, Phase.FAILED, Phase.SKIPPED, Phase.DELIVERED)

# Seconds for a volume to answer.
HANGS = 5.0


async def folders_away(ledger: Ledger, studio: str, folders: Sequence[Path]) -> list[Retry]:
    """Why watch folders cannot be looked at from this machine, for each that cannot."""
    answers = await asyncio.gather(*(_why_not_watched(ledger, studio, each) for each in folders))
    return [answer for answer in answers if answer]


async def _why_not_watched(ledger: Ledger, studio: str, folder: Path) -> Retry | None:
    asking = volume.ask(lambda: why_not_watched(ledger, studio, folder))
    try:
        return await volume.in_time(asking, folder, patience=HANGS)
    except Retry as hangs:
        return hangs


@dataclass(frozen=True)
class Overview:
    """What the ledger knows of a studio, and what is in the way of it all."""

    studio: str
    away: Sequence[Retry]
    sign_in: PostFlowError | None
    outages: Mapping[str, str]
    counts: Mapping[Phase, int]
    unannounced: Sequence[Unannounced]
    others: Mapping[str, int]
    settling: Sequence[Observation]
    clips: Sequence[Clip]

    def as_json(self) -> dict[str, Any]:
        sign_in = self.sign_in
        return {
            "away": [{"reason": lost.message, "hint": lost.hint} for lost in self.away],
            "sign_in": sign_in and {"reason": sign_in.message, "hint": sign_in.hint},
            "outages": self.outages,
            "counts": self.counts,
            "unannounced": unannounced_as_json(self.unannounced, studio=self.studio),
            "others": self.others,
            "settling": [each.model_dump(mode="json") for each in self.settling],
            "clips": [each.model_dump(mode="json") for each in self.clips],
        }

    def tell(self) -> None:
        for trouble in (*self.away, *([self.sign_in] if self.sign_in else [])):
            tell_warning(trouble, out)
        for reason in self.outages.values():
            out.print(f"[yellow]![/yellow] Clips wait for this: {escape(reason)}")
        told = [f"{self.counts[phase]} {phase}" for phase in Phase if self.counts[phase]]
        out.print(", ".join(told) or "No clip has been seen yet.")
        tell_unannounced(self.unannounced, studio=self.studio)
        self._tell_others()
        for each in self.settling:
            word = Phase.REFUSED if each.refused else Phase.SETTLING
            out.print(f"  {word:<10}  {each.relpath}: {each.note or 'just seen'}", markup=False)
        for clip, name in _names(self.clips):
            _tell(clip, name)

    def _tell_others(self) -> None:
        others = dict(self.others)
        if unread := others.pop(UNREAD, 0):
            what = "Files and folders that cannot be read, or whose names cannot travel"
            remedy = f"postflow scan --studio {self.studio} names them."
            tell_doubt(f"{what}: {unread}.", remedy, out)
        if others:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(others.items()))
            out.print(f"  no clips    {kinds}", markup=False)


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
    latest = (queries.rows(ledger, studio=studio, phase=each, limit=limit) for each in SHOWN)
    overview = Overview(
        studio=studio,
        away=away,
        sign_in=sign_in,
        outages=outages.current(ledger, studio),
        counts=queries.counts(ledger, studio),
        unannounced=outbox.unannounced(ledger, studio),
        others=observations.others(ledger, studio),
        settling=queries.unsettled(ledger, studio=studio, limit=limit),
        clips=[clip for clips in latest for clip in clips],
    )
    if json:
        print_json(overview.as_json())
    else:
        overview.tell()


def tell_history(ledger: Ledger, studio: str, *, limit: int = 50, json: bool = False) -> None:
    """Deliveries, the last one first."""
    clips = queries.rows(ledger, studio=studio, phase=Phase.DELIVERED, limit=limit)
    if json:
        print_json([each.model_dump(mode="json") for each in clips])
        return
    for clip, name in _names(clips):
        facts = f"{_when(clip)}  {_took(clip):>6}  {decimal(clip.size):>8}"
        out.print(f"{facts}  {name}  {link_of(clip)}".rstrip(), markup=False)
    if not clips:
        out.print("No clip has been delivered yet.")


def _names(clips: Sequence[Clip]) -> Iterator[tuple[Clip, str]]:
    """Each with its path in its folder, or its whole path where several folders have that one."""
    homes: defaultdict[str, set[str | None]] = defaultdict(set)
    for clip in clips:
        homes[clip.relpath].add(clip.root)
    for clip in clips:
        shared = clip.root is not None and len(homes[clip.relpath]) > 1
        yield clip, f"{clip.root}/{clip.relpath}" if shared else clip.relpath


def _tell(clip: Clip, name: str) -> None:
    out.print(f"  {clip.phase:<10}  {name}  {link_of(clip)}".rstrip(), markup=False)
    if clip.phase is Phase.DELIVERED and clip.reason:
        undone = "Left undone: its version stack, or its message."
        lacks = undone if clip.state is State.DONE else "Not yet on its version stack."
        out.print(f"              {lacks}", markup=False)
    if clip.doubt:
        out.print(f"              Please check: the file {clip.doubt}.", markup=False)
    if clip.reason:
        out.print(f"              {clip.reason}", markup=False)
        out.print(f"              → {clip.hint}", markup=False)
    if clip.not_before:
        when = f"{clip.not_before.astimezone():%H:%M}"
        out.print(f"              It is tried again at {when}.", markup=False)


def link_of(clip: Clip) -> str:
    return clip.view_url or ""


def _when(clip: Clip) -> str:
    return f"{clip.finished_at.astimezone():%Y-%m-%d %H:%M}" if clip.finished_at else ""


def _took(clip: Clip) -> str:
    if not clip.finished_at or not clip.started_at:
        return ""
    return f"{(clip.finished_at - clip.started_at).total_seconds():.0f} s"
