"""`postflow scan`: what a scan would find, and what would become of it."""

from __future__ import annotations

import asyncio
from collections import Counter
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

NO_CLIP = "no clip"


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
        found = [p for f in block.watching.folders for p in look(ledger, studio, f, naming)]
    tell_prospects(found, json=json)


def tell_prospects(found: list[Prospect], *, json: bool = False) -> None:
    """All of them as JSON; for a person, those that are clips, and a sum."""
    if json:
        print_json([each.model_dump() for each in found])
        return
    for each in found:
        if each.what != NO_CLIP:
            out.print(f"{each.what:<8}  {each.file}  {each.where}".rstrip(), markup=False)
    sums = Counter(each.what for each in found)
    out.print(", ".join(f"{count} {what}" for what, count in sums.items()) or "No file is there.")


def look(ledger: Ledger, studio: str, folder: Path, naming: Naming) -> list[Prospect]:
    """What would become of each file of a folder. A folder that is not there is told."""
    try:
        root = ledger.root(studio, folder, read_mark(folder).id)
    except AbsentError as error:
        err.print(f"{folder}: {error}.", markup=False)
        err.print("  → Mount the volume. A new folder gets its marker when `postflow up` starts.")
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
        return Prospect(file=each.relpath, what=NO_CLIP)
    if (each.relpath, each.size, each.mtime_ns) in at_rest:
        return Prospect(file=each.relpath, what="known")
    try:
        shot = naming.identify(each.path.name)
    except Skip as error:
        return Prospect(file=each.relpath, what="skip", where=error.message)
    return Prospect(file=each.relpath, what="deliver", where="to " + "/".join(shot.folder))
