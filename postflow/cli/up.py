"""`postflow up`: all that a studio needs on one machine, as one tree of processes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import psutil
import typer
from filelock import FileLock, Timeout

from postflow.errors import Fatal
from postflow.places import lock_dir, state_dir

from .app import app
from .backfill import enrol
from .engine import own_server, prepare_prefect
from .options import StudioOption
from .output import err, out
from .running import stoppable
from .server import prefect_server, stop
from .watch import BackfillOption, EveryOption

PORT = 4200
# An ingest run that is stopped withdraws its unfinished uploads and closes its tunnel.
RUN_LIMIT = 45.0


@app.command()
def up(
    studio: StudioOption = "main",
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="Apply this studio file first, as `setup` does."),
    ] = None,
    backfill: BackfillOption = None,
    every: EveryOption = 300.0,
    port: Annotated[int, typer.Option(help="Of a Prefect server of our own.")] = PORT,
) -> None:
    """All that a studio needs on one machine: Prefect's server, runner and look-out. Until Ctrl-C.

    A server is started only where PREFECT_API_URL or Prefect's profile names none.
    """
    prepare_prefect(verbose=True)
    with stoppable(), ExitStack() as stack:
        stack.enter_context(_alone())
        url = stack.enter_context(a_prefect_server(port))
        from blocks.studio import load_studio

        if file:
            studio = _apply(file)
        enrol(asyncio.run(load_studio(studio)), studio, backfill)
        parts = stack.enter_context(running_parts(studio, every=every))
        out.print(f"PostFlow watches. Prefect's UI: {url}/runs", markup=False)
        err.print("Ctrl-C ends it all.")
        while True:
            parts.demand_alive()
            time.sleep(1.0)


def _apply(file: Path) -> str:
    """Set up the studio of the file; its name."""
    from blocks.setup import read_studio_file, save_studio

    studio_file = read_studio_file(file)
    asyncio.run(save_studio(studio_file))
    return studio_file.studio.name


@contextmanager
def a_prefect_server(port: int) -> Iterator[str]:
    """The configured server, or one of our own that other commands find; yields its UI's address.

    Raises Fatal when ours does not start.
    """
    from prefect.settings import PREFECT_API_URL, temporary_settings

    configured = PREFECT_API_URL.value()
    if configured:
        yield configured.removesuffix("/api")
        return
    err.print("Starting Prefect …")
    with (
        prefect_server(port, state_dir() / "server.log") as url,
        temporary_settings({PREFECT_API_URL: f"{url}/api"}),
        own_server(f"{url}/api"),
    ):
        yield url


class Parts:
    """The runner and the look-out, each a process with its log in PostFlow's folder."""

    def __init__(self, children: dict[str, psutil.Popen]) -> None:
        self._children = children

    def demand_alive(self) -> None:
        """Raises Fatal `up.ended` when one of them ended, which none should."""
        for name, child in self._children.items():
            if child.poll() is not None:
                raise Fatal(
                    f"PostFlow's {name} ended unexpectedly.",
                    hint=f"Its log says why: {_log(name)}",
                    code="up.ended",
                )


@contextmanager
def running_parts(studio: str, *, every: float) -> Iterator[Parts]:
    """Start both; at the end no more clips are looked for, then those on their way are stopped."""
    with (
        _child("serve", "--every", str(every), studio=studio) as runner,
        _child("watch", studio=studio) as lookout,
    ):
        yield Parts({"serve": runner, "watch": lookout})


@contextmanager
def _child(command: str, *arguments: str, studio: str) -> Iterator[psutil.Popen]:
    with _log(command).open("wb") as log:
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
        stop(child, limit=RUN_LIMIT)


def _log(command: str) -> Path:
    return state_dir() / f"{command}.log"


@contextmanager
def _alone() -> Iterator[None]:
    """Two of these on one machine would watch the same folders."""
    try:
        with FileLock(lock_dir() / "up.lock", timeout=0):
            yield
    except Timeout as error:
        raise Fatal(
            "PostFlow is up already on this machine.",
            hint="Stop the other one first; `postflow status` shows what it does.",
            code="up.busy",
        ) from error
