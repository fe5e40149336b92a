"""`postflow backup` and `export`: the ledger as a whole, to be kept, read or made smaller."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from postflow.service.console import err, out

from .app import StudioOption, app, opened, prepared_studio
from .up import alone


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where the copy is; one that is there is replaced.")],
    restore: Annotated[
        bool, typer.Option("--restore", help="Put that copy in the ledger's place.")
    ] = False,
    studio: StudioOption = None,
) -> None:
    """Copy the ledger, whole, also while PostFlow works; or put such a copy back."""
    block = prepared_studio(studio)
    from postflow.ledger import backup as copying

    ledger = copying.file_of(block.ledger)
    if file.resolve() == ledger.resolve():
        raise typer.BadParameter("that is the ledger itself")
    if not restore:
        if not os.access(file.absolute().parent, os.W_OK):
            raise typer.BadParameter(f"nothing can be written in {file.absolute().parent}")
        copying.back_up(ledger, file)
        out.print(f"[green]✓[/green] {file} is a whole copy of {ledger}")
        err.print("Studios and sign-in are not in it: keep the studio file, too.")
        return
    with alone():
        before = copying.restore(file, ledger)
    out.print(f"[green]✓[/green] {ledger} is as {file} was")
    if before:
        out.print(f"What was there is kept in {before}", markup=False)


@app.command()
def export(
    studio: StudioOption = None,
    archive: Annotated[
        Path | None,
        typer.Option(
            help="Append to this file what happened to clips that ended more than a year ago, "
            "and remove it from the ledger; the clips stay, with their links.",
        ),
    ] = None,
) -> None:
    """Print the whole ledger as JSON lines: clips with their steps and attempts, messages."""
    with opened(studio) as (_, _, ledger):
        from postflow.ledger.export import archive as put_aside
        from postflow.ledger.export import lines

        if archive:
            with archive.open("a", encoding="utf-8") as file:
                many = put_aside(ledger, file)
            err.print(f"Clips whose steps are in {archive} now: {many}", markup=False)
            return
        for line in lines(ledger):
            print(line)  # noqa: T201 - the command's output
