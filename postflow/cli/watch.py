"""`postflow watch` and `serve`: two of the three processes by which clips find their own way."""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated

import typer

from .app import app
from .backfill import enrol
from .engine import demand_server, prepare_prefect
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
EveryOption = Annotated[
    float, typer.Option(help="Seconds between two scheduled ingest runs.", min=1.0)
]


@app.command()
def watch(studio: StudioOption = "main", backfill: BackfillOption = None) -> None:
    """Scan the studio's watch folders, and call `ingest` when clips are ready. Until Ctrl-C."""
    prepare_prefect(verbose=True)
    demand_server()
    from blocks.studio import load_studio
    from flows.watch import watch as look_out

    enrol(asyncio.run(load_studio(studio)), studio, backfill)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    run(look_out(studio))


@app.command()
def serve(studio: StudioOption = "main", every: EveryOption = 300.0) -> None:
    """Run the deployments `ingest` and `deliver`: by event, by the clock, by hand. Until Ctrl-C."""
    prepare_prefect(verbose=True)
    demand_server()
    from flows.serve import serve as serve_deployments

    run(serve_deployments(studio, every=every))
