"""`postflow watch` and `serve`: the two processes that `up` starts for each studio."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from postflow.service.server import demand_server, prepare_prefect

from .app import StudioOption, app, run, studio_named
from .enrol import BackfillOption, TakeOverOption, enrol_folders

EveryOption = Annotated[
    float, typer.Option(help="Seconds between two scheduled ingest runs.", min=1.0)
]


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
    from postflow.service.supervisor import be_a_part

    be_a_part()
    prepare_prefect(verbose=True, alone=False)
    demand_server()
    from postflow.flows.watch import watch as watch_folders

    if ask:
        enrol_folders(studio_named(studio), studio, backfill, take_over=take_over)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    run(watch_folders(studio))


@app.command()
def serve(studio: StudioOption = "main", every: EveryOption = 300.0) -> None:
    """Run the deployments `ingest` and `deliver`: by event, by the clock, by hand. Until Ctrl-C."""
    from postflow.service.supervisor import be_a_part

    be_a_part()
    prepare_prefect(verbose=True, alone=False)
    demand_server()
    from postflow.service.serve import serve as serve_deployments

    run(serve_deployments(studio, every=every))
