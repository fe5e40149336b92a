"""`postflow scan`: what a scan would find, and what would become of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postflow.service.console import out
from postflow.service.server import prepare_prefect

from .app import JsonOption, StudioOption, app
from .running import run

if TYPE_CHECKING:
    from postflow.blocks.studio import Studio
    from postflow.ledger import Ledger


@app.command()
def scan(
    studio: StudioOption = "main",
    dry_run: Annotated[
        bool, typer.Option("--dry-run/--deliver", help="Only show, or run `ingest` now.")
    ] = True,
    accept_vanished: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Say that what vanished from this watch folder is really gone."
        ),
    ] = None,
    restore_marker: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Say that this is the right watch folder, though its marker is gone.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show what would be delivered, and where to; nothing is done. With --deliver, ingest runs."""
    prepare_prefect(verbose=not dry_run)
    from postflow.blocks.studio import load_studio
    from postflow.ledger import Ledger

    block = asyncio.run(load_studio(studio))
    if not (dry_run or accept_vanished or restore_marker):
        from postflow.flows.ingest import ingest

        run(ingest(studio))
        return
    with Ledger.open(block.ledger) as ledger:
        if accept_vanished:
            _accept(ledger, studio, block, accept_vanished, json=json)
        elif restore_marker:
            _restore(ledger, studio, block, restore_marker)
        else:
            _show(ledger, studio, block, json=json)


def _accept(ledger: Ledger, studio: str, block: Studio, wanted: Path, *, json: bool) -> None:
    from .prospects import one_of, tell_gone

    folder = one_of(block.watching.folders, wanted)
    tell_gone(ledger, studio, folder, block.watching.ignoring(folder), json=json)


def _restore(ledger: Ledger, studio: str, block: Studio, wanted: Path) -> None:
    from postflow.folder.enrolment import restore

    from .prospects import one_of

    restore(ledger, studio, one_of(block.watching.folders, wanted))
    out.print(f"{wanted} has its marker again.", markup=False)


def _show(ledger: Ledger, studio: str, block: Studio, *, json: bool) -> None:
    from .prospects import look, tell_prospects

    naming, watching = block.get_naming(), block.watching
    found = [
        prospect
        for folder in watching.folders
        for prospect in look(
            ledger,
            studio,
            folder,
            naming,
            open_ended=watching.open_ended,
            ignoring=watching.ignoring(folder),
        )
    ]
    tell_prospects(found, json=json)
