"""`postflow scan`: what a scan would find, and what would become of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from postflow.errors import Skip
from postflow.ledger import Ledger, ObservationState
from postflow.models import CONTENT_TYPES, Moment
from postflow.naming import Naming
from postflow.scan.root import AbsentError, read_mark
from postflow.scan.sighting import Scanned, Sighting
from postflow.scan.walk import Scanner

from .app import app
from .engine import prepare_prefect
from .options import JsonOption, StudioOption
from .output import err, out, print_json
from .running import run


class Prospect(Moment):
    """One file, and what would happen to it."""

    file: str
    what: str
    where: str = ""


@app.command()
def scan(
    studio: StudioOption = "main",
    dry_run: Annotated[
        bool, typer.Option("--dry-run/--deliver", help="Only show, or run `ingest` now.")
    ] = True,
    json: JsonOption = False,
) -> None:
    """Show what would be delivered, and where to; nothing is done. With --deliver, ingest runs."""
    prepare_prefect(verbose=not dry_run)
    if not dry_run:
        from flows.ingest import ingest

        run(ingest(studio))
        return
    from blocks.studio import load_studio

    block = asyncio.run(load_studio(studio))
    naming = block.get_naming()
    with Ledger.open(block.ledger) as ledger:
        found = [p for f in block.watching.folders for p in _look(ledger, studio, f, naming)]
    if json:
        print_json([each.model_dump() for each in found])
        return
    for each in found:
        out.print(f"{each.what:<10} {each.file}  {each.where}".rstrip(), markup=False)


def _look(ledger: Ledger, studio: str, folder: Path, naming: Naming) -> list[Prospect]:
    try:
        root = ledger.root(studio, folder, read_mark(folder).id)
    except AbsentError as error:
        err.print(f"{folder}: {error}.", markup=False)
        return []
    result = Scanner(folder).scan(full=True)
    if not isinstance(result, Scanned):
        err.print(result.reason, markup=False)
        return []
    at_rest = {
        (each.relpath, each.size, each.mtime_ns)
        for each in ledger.known(root)
        if each.state is not ObservationState.SETTLING
    }
    return [_prospect(each, naming, at_rest) for each in result.new]


def _prospect(each: Sighting, naming: Naming, at_rest: set[tuple[str, int, int]]) -> Prospect:
    if each.path.suffix.lower() not in CONTENT_TYPES:
        return Prospect(file=each.relpath, what="no clip")
    if (each.relpath, each.size, each.mtime_ns) in at_rest:
        return Prospect(file=each.relpath, what="known")
    try:
        shot = naming.identify(each.path.name)
    except Skip as error:
        return Prospect(file=each.relpath, what="skip", where=error.message)
    return Prospect(file=each.relpath, what="deliver", where="to " + "/".join(shot.folder))
