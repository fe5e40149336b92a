"""`postflow first` and `postflow cancel`: a person's word about what waits and what travels."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.filesize import decimal

from postflow.errors import printable
from postflow.language import counted, spoken
from postflow.service.console import Exit, err, out

from . import completion
from .app import StudioOption, app, opened
from .retry import UNKNOWN, in_its_folder, tell_several

if TYPE_CHECKING:
    from postflow.ledger import Clip, Ledger
    from postflow.ledger.models import Progress
    from postflow.ledger.progress import Left
    from postflow.ledger.queue import Announce, Spot

Names = Annotated[
    list[str] | None,
    typer.Argument(
        help="Files' names, or their paths.", metavar="NAME…", autocompletion=completion.clips
    ),
]

FIRST = {
    "first": "{} goes first.",
    "first when whole": "{} settles still; it goes first as soon as it is whole.",
    "travels": "{} is on its way already.",
}
CANCELLED = {
    "cancelled": "{} is cancelled.",
    "cancelled when whole": "{} settles still; it will not travel.",
    "is stopped": "{} is on its way; its run stops it within seconds.",
    "is tidied": "{} had begun to travel; the next ingest removes what is left of it, and ends it.",
    "already": "{} is being stopped already.",
}


@app.command()
def first(names: Names = None, studio: StudioOption = None) -> None:
    """Have clips go before all others that wait, in the order in which they are named."""
    if not names:
        raise typer.BadParameter("give a NAME")
    with opened(studio) as (block, studio, ledger):
        done = put_first(ledger, studio, names, block.watching.folders)
    if not done:
        raise typer.Exit(Exit.USAGE)


@app.command()
def cancel(
    names: Names = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All that waits, travels or settles.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, with --all.")] = False,
    studio: StudioOption = None,
) -> None:
    """Keep clips from travelling, or stop them: what is whole in Frame.io stays delivered.

    `postflow retry NAME` delivers one after all.
    """
    if bool(names) == everything:
        raise typer.BadParameter("give a NAME, or --all")
    with opened(studio) as (block, studio, ledger), spoken(block.language):
        from postflow.delivery.announcements import of_cancelled

        channel = studio if block.discord else None
        project = block.frameio.project
        announce = partial(of_cancelled, channel, block.get_naming(), project=project)
        if names:
            done = cancel_named(ledger, studio, names, block.watching.folders, announce)
        else:
            done = cancel_all(ledger, studio, announce, asks=not yes)
    if not done:
        raise typer.Exit(Exit.USAGE)


def put_first(
    ledger: Ledger, studio: str, names: Sequence[str], folders: Sequence[Path] = ()
) -> bool:
    """Say what is done for each name. False where something of it could not be."""
    from postflow.ledger import queue

    spots = [(name, _the_spot(ledger, studio, name, folders)) for name in names]
    # The last one to be put first goes first.
    done = True
    for name, spot in reversed(spots):
        outcome = queue.put_first(ledger, spot) if spot else None
        if spot and outcome:
            out.print(FIRST[outcome].format(printable(spot.relpath)), markup=False)
        elif spot:
            _tell_why_not(ledger, studio, spot, name)
        done = done and outcome is not None
    return done


def cancel_named(
    ledger: Ledger,
    studio: str,
    names: Sequence[str],
    folders: Sequence[Path],
    announce: Announce,
) -> bool:
    """Say what is done for each name. False where something of it could not be."""
    from postflow.ledger import queue

    done = True
    for name in names:
        spot = _the_spot(ledger, studio, name, folders)
        if spot is None:
            done = False
            continue
        outcomes = queue.cancel(ledger, studio, queue.BY_COMMAND, announce, at=spot)
        for relpath, outcome in outcomes:
            out.print(CANCELLED[outcome].format(printable(relpath)), markup=False)
        if not outcomes:
            done = _tell_why_not(ledger, studio, spot, name) and done
    return done


def cancel_all(ledger: Ledger, studio: str, announce: Announce, *, asks: bool) -> bool:
    """False where a person says no."""
    from postflow.ledger import Phase, queries, queue

    counts = queries.counts(ledger, studio)
    phases = (Phase.SETTLING, Phase.REFUSED, Phase.WAITING, Phase.ON_ITS_WAY)
    told = ", ".join(f"{counts[phase]} {phase}" for phase in phases if counts[phase])
    if not told:
        out.print("Nothing waits or travels.")
        return True
    if asks and not typer.confirm(f"Cancel all clips that are not delivered: {told}?"):
        out.print("Nothing is cancelled.")
        return False
    for relpath, outcome in queue.cancel(ledger, studio, queue.BY_COMMAND, announce):
        out.print(CANCELLED[outcome].format(printable(relpath)), markup=False)
    return True


def _the_spot(ledger: Ledger, studio: str, name: str, folders: Sequence[Path]) -> Spot | None:
    """The one path that is meant; else what is missing or too much is printed."""
    from postflow.ledger import queue

    on_disk = str(Path(name).expanduser().absolute())
    found = queue.spots(ledger, on_disk, studio=studio)
    found = found or queue.spots(ledger, in_its_folder(name, folders), studio=studio)
    meant = [spot for spot in found if spot.open] or found
    if len(meant) == 1:
        return meant[0]
    if meant:
        tell_several(name, (str(spot.path) for spot in meant))
    else:
        err.print(UNKNOWN.format(name), markup=False)
    return None


def _tell_why_not(ledger: Ledger, studio: str, spot: Spot, name: str) -> bool:
    """True where it is cancelled already, so that nothing is left to do for who cancels."""
    from postflow.ledger import State, queries, queue

    rows = queries.rows(ledger, studio=studio, name=spot.relpath)
    here = [each for each in rows if each.root == str(spot.root) and each.relpath == spot.relpath]
    clip = next((each for each in here if each.state is not State.SUPERSEDED), None)
    if clip is None:
        err.print(f"Nothing of {name} waits.", markup=False)
        return False
    err.print(printable(_why_not(clip)), markup=False)
    return clip.code == queue.CANCELLED


def _why_not(clip: Clip) -> str:
    from postflow.ledger import Phase, queue

    if clip.phase is Phase.DELIVERED:
        return f"{clip.relpath} is delivered. {clip.view_url or ''}".rstrip()
    again = f"`postflow retry {clip.relpath}` has it wait again."
    if clip.code == queue.CANCELLED:
        return f"{clip.relpath} is cancelled already. {again}"
    return f"{clip.relpath} is {clip.phase}: {clip.reason or ''} {again}"


def how_far(progress: Progress) -> str:
    told = f"{decimal(progress.sent)} of {decimal(progress.sent + progress.left)} have left"
    return told + _at_that_rate(progress)


def how_much_is_left(left: Left) -> str:
    return f"{counted(left.clips, 'clip')}, {decimal(left.bytes)}{_at_that_rate(left)}"


def _at_that_rate(what: Left | Progress) -> str:
    if not what.rate or what.seconds is None:
        return ""
    lasts = timedelta(seconds=round(what.seconds))
    return f", {lasts} at {decimal(round(what.rate))}/s"
