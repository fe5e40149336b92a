"""`postflow watch`, `serve` and `up`: clips find their own way."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated

import psutil
import typer

from postflow.errors import Fatal
from postflow.places import state_dir

from .app import app
from .backfill import enrol
from .engine import prepare_prefect
from .options import StudioOption
from .output import err, out
from .server import prefect_server, stop

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
    from blocks.studio import load_studio
    from flows.watch import run

    enrol(asyncio.run(load_studio(studio)), studio, backfill)
    run(studio)


@app.command()
def serve(studio: StudioOption = "main", every: EveryOption = 300.0) -> None:
    """Run the deployments `ingest` and `deliver`: by event, by the clock, by hand. Until Ctrl-C."""
    prepare_prefect(verbose=True)
    from flows.serve import serve as serve_deployments

    asyncio.run(serve_deployments(studio, every=every))


@app.command()
def up(
    studio: StudioOption = "main",
    backfill: BackfillOption = None,
    every: EveryOption = 300.0,
    port: Annotated[int, typer.Option(help="Of a Prefect server of our own.")] = 4200,
) -> None:
    """All that a studio needs on one machine: Prefect's server, runner and look-out. Until Ctrl-C.

    A server is started only where PREFECT_API_URL names none.
    """
    prepare_prefect()
    with ExitStack() as stack:
        url = os.environ.get("PREFECT_API_URL", "").removesuffix("/api")
        if not url:
            err.print("Starting Prefect …")
            url = stack.enter_context(prefect_server(state_dir() / "prefect", port))
        from blocks.studio import load_studio

        enrol(asyncio.run(load_studio(studio)), studio, backfill)
        runner = stack.enter_context(_child("serve", "--every", str(every), studio=studio))
        lookout = stack.enter_context(_child("watch", studio=studio))
        out.print(f"PostFlow watches. Prefect's UI: {url}/runs", markup=False)
        err.print("Ctrl-C ends it all.")
        _wait(serve=runner, watch=lookout)


@contextmanager
def _child(command: str, *arguments: str, studio: str) -> Iterator[psutil.Popen]:
    """A part of `up` in its own process, with its log in PostFlow's folder."""
    log_path = state_dir() / f"{command}.log"
    with log_path.open("ab") as log:
        child = psutil.Popen(
            [sys.executable, "-m", "postflow", command, "--studio", studio, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield child
    finally:
        stop(child)


def _wait(**children: psutil.Popen) -> None:
    """Until one of them ends, which none should."""
    while True:
        _, alive = psutil.wait_procs(children.values(), timeout=1.0)
        ended = [name for name, child in children.items() if child not in alive]
        if ended:
            raise Fatal(
                f"PostFlow's {ended[0]} ended unexpectedly.",
                hint=f"Its log says why: {state_dir() / (ended[0] + '.log')}",
                code="up.ended",
            )
