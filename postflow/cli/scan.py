"""`postflow scan`: each file of a watch folder, and what would become of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postflow.errors import printable
from postflow.service.console import out, print_json
from postflow.service.server import prepare_prefect

from .app import JsonOption, StudioOption, app, run, studio_named

if TYPE_CHECKING:
    from postflow.blocks.studio import Studio
    from postflow.ledger import Ledger
    from postflow.media.ignore import Ignoring
    from postflow.service.prospects import Prospect


AcceptOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Say that what vanished from this watch folder is really gone."
    ),
]
RestoreOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Say that this is the right watch folder, though its marker is gone."
    ),
]


@app.command()
def scan(
    studio: StudioOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run/--deliver", help="Only show, or run `ingest` now.")
    ] = True,
    accept_vanished: AcceptOption = None,
    restore_marker: RestoreOption = None,
    json: JsonOption = False,
) -> None:
    """Show what would be delivered, and where to; nothing is done. With --deliver, ingest runs."""
    prepare_prefect(verbose=not dry_run)
    from postflow.folder.enrolment import restore
    from postflow.ledger import Ledger

    block = studio_named(studio)
    studio = block.document_name
    if not (dry_run or accept_vanished or restore_marker):
        from postflow.flows.ingest import ingest

        run(ingest(studio))
        return
    with Ledger.open(block.ledger) as ledger:
        if accept_vanished:
            folder = one_of(block.watching.folders, accept_vanished)
            tell_gone(ledger, studio, folder, block.watching.ignoring(folder), json=json)
        elif restore_marker:
            restore(ledger, studio, one_of(block.watching.folders, restore_marker))
            out.print(f"{restore_marker} has its marker again.", markup=False)
        else:
            tell_prospects(_prospects(ledger, studio, block), json=json)


def _prospects(ledger: Ledger, studio: str, block: Studio) -> list[Prospect]:
    from postflow.service.prospects import look

    naming, watching = block.get_naming(), block.watching
    return [
        prospect
        for folder in watching.folders
        for prospect in look(ledger, studio, folder, naming, watching)
    ]


def one_of(folders: Sequence[Path], wanted: Path) -> Path:
    """The watch folder that is meant, as the studio spells it."""
    found = [each for each in folders if each.resolve() == wanted.resolve()]
    if not found:
        known = ", ".join(str(each) for each in folders) or "none"
        raise typer.BadParameter(f"{wanted} is no watch folder of this studio; those are: {known}")
    return found[0]


def tell_gone(
    ledger: Ledger,
    studio: str,
    folder: Path,
    ignoring: Ignoring,
    *,
    json: bool = False,
) -> None:
    """Take for gone what is missing in a folder, and say what that is."""
    from postflow.folder.enrolment import accept_vanished

    gone = accept_vanished(ledger, studio, folder, ignoring)
    if json:
        print_json({"folder": str(folder), "gone": gone})
        return
    for relpath in gone:
        out.print(f"gone  {printable(relpath)}", markup=False)
    out.print(f"Taken for gone in {folder}: {len(gone):,}.", markup=False)


def tell_prospects(found: list[Prospect], *, json: bool = False) -> None:
    """All of them as JSON; for a person, those that are clips or nearly so, and sums."""
    from postflow.service.prospects import IGNORED, NO_CLIP

    if json:
        print_json([each.model_dump() for each in found])
        return
    for each in sorted(found, key=lambda prospect: prospect.file):
        if each.what not in {NO_CLIP, IGNORED}:
            out.print(
                printable(f"{each.what:<8}  {each.file}  {each.where}".rstrip()), markup=False
            )
    for what, title in ((NO_CLIP, "no clip"), (IGNORED, "ignored")):
        some = sorted((each.where, each.file) for each in found if each.what == what)
        for where, files in groupby(some, key=itemgetter(0)):
            names = [file for _, file in files]
            such = f", such as {printable(names[0])}" if what == IGNORED else ""
            out.print(f"{title:<8}  {where}: {len(names):,}{such}", markup=False)
    sums = Counter(each.what for each in found)
    out.print(", ".join(f"{count} {what}" for what, count in sums.items()) or "No file is there.")
