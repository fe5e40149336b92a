"""`postflow enrol`, `watch` and `serve`: watch folders are marked and scanned, their clips sent."""

from __future__ import annotations

import logging
import re
import sys
from datetime import datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.filesize import decimal

from postflow.errors import Fatal
from postflow.importing import importing
from postflow.language import N_, counted, told
from postflow.service.console import Exit, err, out, tell_warning
from postflow.service.server import demand_server, prepare_prefect

from .app import StudioOption, app, prepared_studio, run, studio_named

if TYPE_CHECKING:
    from postflow.blocks.studio import Studio
    from postflow.folder.enrolment import Choice
    from postflow.ledger import Ledger
    from postflow.media.ignore import Ignoring
    from postflow.media.sighting import Sighting

BackfillOption = Annotated[
    str | None,
    typer.Option(
        help="What becomes of clips that are there before the first scan: all, none, or "
        "since:YYYY-MM-DD.",
        metavar="all|none|since:DATE",
    ),
]
TakeOverOption = Annotated[
    bool,
    typer.Option(
        "--take-over", help="Also watch folders that another PostFlow, with its own ledger, has."
    ),
]
EveryOption = Annotated[
    float, typer.Option(help="Seconds between two scheduled ingest runs.", min=1.0)
]

WAYS = "all, none, or since: and a date, as in since:2026-11-22"
ALL = {"all", "a", "yes", "y", "ja", "j", "oui", "o", "tout", "tous", "alle"}
NONE = {"none", "no", "n", "nein", "non", "rien", "aucun", "keine"}
DAYS_AGO = {"today": 0, "heute": 0, "yesterday": 1, "gestern": 1, "hier": 1}
SINCE = re.compile(r"\A(?:since|seit|depuis)(?::\s*|\s+)")


@app.command()
def enrol(
    studio: StudioOption = None,
    backfill: BackfillOption = None,
    take_over: TakeOverOption = False,
) -> None:
    """Say what becomes of clips that are in a watch folder already; from then on it is watched.

    `up` and `watch` do the same when they start.
    """
    demand_choice(backfill)
    block = prepared_studio(studio)
    from postflow.folder.enrolment import why_not_watched
    from postflow.ledger import Ledger

    studio = block.document_name
    enrol_folders(block, studio, backfill, take_over=take_over)
    with Ledger.open(block.ledger) as ledger:
        folders = {each: why_not_watched(ledger, studio, each) for each in block.watching.folders}
    for folder, why in folders.items():
        if why is None:
            out.print(f"{folder} is enrolled for studio {studio!r}.", markup=False)
    if any(folders.values()):  # each was told
        raise typer.Exit(Exit.RETRY)


@app.command()
def watch(
    studio: StudioOption = None,
    backfill: BackfillOption = None,
    take_over: TakeOverOption = False,
    ask: Annotated[
        bool,
        typer.Option("--enrol/--no-enrol", help="First do as `enrol` does, or only watch."),
    ] = True,
) -> None:
    """Scan the studio's watch folders, and call `ingest` when clips are ready. Until Ctrl-C."""
    from postflow.service.supervisor import be_a_part

    be_a_part()
    demand_choice(backfill)
    prepare_prefect(verbose=True, alone=False)
    demand_server()
    with importing():
        from postflow.flows.watch import watch as watch_folders

    block = studio_named(studio)
    if ask:
        enrol_folders(block, block.document_name, backfill, take_over=take_over)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    run(watch_folders(block.document_name))


@app.command()
def serve(studio: StudioOption = None, every: EveryOption = 300.0) -> None:
    """Run the deployments `ingest` and `deliver`: by event, by the clock, by hand. Until Ctrl-C."""
    from postflow.service.supervisor import be_a_part

    be_a_part()
    prepare_prefect(verbose=True, alone=False, enduring=True)
    demand_server()
    with importing():
        from postflow.service.serve import serve as serve_deployments

    run(serve_deployments(studio_named(studio), every=every))


def demand_choice(backfill: str | None) -> Choice | None:
    """What the option says, before anything is waited for. Raises Fatal `watch.backfill`."""
    return None if backfill is None else _choice(backfill)


def enrol_folders(
    block: Studio, studio: str, backfill: str | None, *, take_over: bool = False
) -> None:
    """Mark the studio's watch folders, once for each volume; one that is away is told, and one
    that another PostFlow watches is left to that, unless a person says to `take_over`.

    Raises Fatal `watch.none` or `watch.backfill`, Retry `scan.unread` of a dead mount.
    """
    from postflow.ledger import Ledger

    choice = demand_choice(backfill)
    folders = block.watching.folders
    if not folders:
        raise Fatal(
            f"Studio {studio!r} has no watch folder.",
            hint='Set [studio.watching] folders = ["/path"] and run `postflow setup --file` again.',
            code="watch.none",
        )
    with Ledger.open(block.ledger) as ledger:
        for folder in folders:
            if _is_to_be_enrolled(ledger, studio, folder, take_over=take_over):
                _enrol(ledger, studio, folder, choice, block.watching.ignoring(folder))


def _is_to_be_enrolled(ledger: Ledger, studio: str, folder: Path, *, take_over: bool) -> bool:
    from postflow.folder.enrolment import why_not_watched
    from postflow.folder.root import is_signed

    why = why_not_watched(ledger, studio, folder)
    if why is None:
        return False
    if why.code == "folder.taken":
        if not take_over and is_signed(folder):
            tell_warning(why)
            return False
        err.print(told(N_("{why} It is taken over.", why=why.message)), markup=False)
    elif why.code != "folder.not_enrolled":
        tell_warning(why)
        return False
    return True


def _enrol(
    ledger: Ledger, studio: str, folder: Path, choice: Choice | None, ignoring: Ignoring
) -> None:
    from postflow.folder.enrolment import enrol

    decide = partial(_decide, folder, choice)
    left = enrol(ledger, studio, folder, decide, ignoring=ignoring)
    if left:
        alone = N_("Left alone in {folder} until they change: {clips}.")
        err.print(told(N_(alone, folder=folder, clips=counted(left, "clip"))), markup=False)


def _decide(folder: Path, choice: Choice | None, clips: list[Sighting]) -> Choice:
    """A person decides what becomes of a backlog; an empty folder asks nothing."""
    if choice is not None:
        return choice
    if not clips:
        return _choice("all")
    size = decimal(sum(clip.size for clip in clips))
    backlog = f"{folder} holds {counted(len(clips), 'clip')} already ({size})."
    if not sys.stdin.isatty():
        raise Fatal(
            backlog,
            hint="Say what becomes of them: --backfill all, none, or since:YYYY-MM-DD.",
            code="watch.backfill",
        )
    err.print(backlog, markup=False)
    return _ask()


def _ask() -> Choice:
    """Again until the answer is one: by now, all else has been started."""
    while True:
        said = typer.prompt("Deliver them? all, none, or since:YYYY-MM-DD", default="none")
        try:
            return _choice(str(said))
        except Fatal as error:
            err.print(f"{error.message} {error.hint}", markup=False)


def _choice(said: str) -> Choice:
    from postflow.folder.enrolment import Choice

    word = said.strip().strip("\"'.!").casefold()
    if word in ALL | NONE:
        return Choice(deliver=word in ALL)
    since = _since(word)
    if since is None:
        raise Fatal(
            f"{said!r} does not say which clips to deliver.",
            hint=f"Choose {WAYS}.",
            code="watch.backfill",
        )
    return Choice(deliver=False, since=since)


def _since(word: str) -> datetime | None:
    """A day's beginning in this machine's time, or a moment, also without `since:`; else None."""
    when = SINCE.sub("", word)
    if when in DAYS_AGO:
        day = datetime.now().astimezone().date() - timedelta(days=DAYS_AGO[when])
        return datetime.combine(day, time.min).astimezone()
    try:
        return datetime.fromisoformat(when.upper()).astimezone()
    except (ValueError, OverflowError):
        return None
