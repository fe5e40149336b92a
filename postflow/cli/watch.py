"""`postflow enrol`, `watch` and `serve`: by which clips find their own way."""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated

import typer

from postflow.folder.enrolment import why_not_watched
from postflow.ledger import Ledger
from postflow.service.console import out
from postflow.service.engine import demand_server, prepare_prefect

from .app import app
from .backfill import enrol_folders
from .options import StudioOption
from .running import run

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


@app.command()
def enrol(
    studio: StudioOption = "main",
    backfill: BackfillOption = None,
    take_over: TakeOverOption = False,
) -> None:
    """Say what becomes of clips that are in a watch folder already; from then on it is watched.

    `up` and `watch` do the same when they start.
    """
    prepare_prefect()
    from postflow.blocks.studio import load_studio

    block = asyncio.run(load_studio(studio))
    enrol_folders(block, studio, backfill, take_over=take_over)
    with Ledger.open(block.ledger) as ledger:
        for folder in block.watching.folders:
            if why_not_watched(ledger, studio, folder) is None:
                out.print(f"{folder} is enrolled for studio {studio!r}.", markup=False)


@app.command()
def watch(
    studio: StudioOption = "main",
    backfill: BackfillOption = None,
    take_over: TakeOverOption = False,
    ask: Annotated[
        bool,
        typer.Option("--enrol/--no-enrol", help="First do as `enrol` does, or only watch."),
    ] = True,
) -> None:
    """Scan the studio's watch folders, and call `ingest` when clips are ready. Until Ctrl-C."""
    prepare_prefect(verbose=True, alone=False)
    demand_server()
    from postflow.blocks.studio import load_studio
    from postflow.flows.watch import watch as look_out

    if ask:
        block = asyncio.run(load_studio(studio))
        enrol_folders(block, studio, backfill, take_over=take_over)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    run(look_out(studio))


@app.command()
def serve(studio: StudioOption = "main", every: EveryOption = 300.0) -> None:
    """Run the deployments `ingest` and `deliver`: by event, by the clock, by hand. Until Ctrl-C."""
    prepare_prefect(verbose=True, alone=False)
    demand_server()
    from postflow.service.serve import serve as serve_deployments

    run(serve_deployments(studio, every=every))
