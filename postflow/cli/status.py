"""`postflow status`, `history`, `retry` and `export`: what became of each clip."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from postflow.service.console import Exit, out
from postflow.service.server import prepare_prefect

from .app import JsonOption, StudioOption, app

if TYPE_CHECKING:
    from postflow.blocks.studio import Studio

LimitOption = Annotated[int, typer.Option(help="At most so many clips of a kind.", min=1)]


@app.command()
def status(
    studio: StudioOption = "main", limit: LimitOption = 50, json: JsonOption = False
) -> None:
    """What settles, waits, is on its way, failed and what to do, was skipped and why, arrived."""
    from postflow.ledger import Ledger

    from .overview import folders_away, tell_status

    block = _studio(studio)
    with Ledger.open(block.ledger) as ledger:
        away = asyncio.run(folders_away(ledger, studio, block.watching.folders))
        sign_in = asyncio.run(block.adobe.why_to_sign_in())
        tell_status(ledger, studio, away=away, sign_in=sign_in, limit=limit, json=json)


@app.command()
def history(
    studio: StudioOption = "main", limit: LimitOption = 50, json: JsonOption = False
) -> None:
    """When each clip was delivered, how long it took, and its link."""
    from postflow.ledger import Ledger

    from .overview import tell_history

    with Ledger.open(_studio(studio).ledger) as ledger:
        tell_history(ledger, studio, limit=limit, json=json)


@app.command()
def retry(
    name: Annotated[str | None, typer.Argument(help="A file's name, or its path.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that failed.")] = False,
    messages: Annotated[
        bool, typer.Option("--messages", help="Also what Discord may not have got.")
    ] = False,
    told: Annotated[
        bool,
        typer.Option("--told", help="What Discord may not have got is there, or not missed."),
    ] = False,
    studio: StudioOption = "main",
) -> None:
    """Try clips again that failed, were skipped or were put off, or are gone from Frame.io.

    The next ingest takes them up.
    """
    if not (name or failed or messages or told):
        raise typer.BadParameter("give a NAME, --failed, --messages or --told")
    from postflow.ledger import Ledger, outbox

    from .again import try_again, was_deleted

    block = _studio(studio)
    with Ledger.open(block.ledger) as ledger:
        if told:
            out.print(f"Messages taken for told: {outbox.mark_sent(ledger, studio)}.")
            if not (name or failed or messages):
                return
        found = try_again(
            ledger,
            studio,
            name=name,
            failed=failed,
            messages=messages,
            folders=block.watching.folders,
            is_gone=lambda clip: asyncio.run(was_deleted(block, clip)),
        )
    if not found and name:
        raise typer.Exit(Exit.USAGE)


@app.command()
def export(studio: StudioOption = "main") -> None:
    """Print the whole ledger as JSON lines: clips with their steps and attempts, messages."""
    from postflow.ledger import Ledger, queries

    with Ledger.open(_studio(studio).ledger) as ledger:
        for line in queries.export(ledger):
            print(line)  # noqa: T201 - the command's output


def _studio(name: str) -> Studio:
    prepare_prefect()
    from postflow.blocks.studio import load_studio

    return asyncio.run(load_studio(name))
