"""`postflow sandbox`: the outside world in miniature."""

from __future__ import annotations

import json as json_module
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postflow.errors import Fatal
from postflow.service.console import err, out

from .app import app
from .sandbox_studio import HOW_TO_WATCH, as_toml, sandbox_studio

if TYPE_CHECKING:
    from postflow.sandbox import Sandbox


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="0 takes any free port.", min=0, max=65535)] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON line only.")] = False,
    studio_file: Annotated[
        Path | None, typer.Option(help="Write a file for `postflow setup --file` there.")
    ] = None,
) -> None:
    """Run Frame.io, Adobe, Discord and an ngrok agent in miniature, until Ctrl-C.

    `python -m postflow.sandbox --help` tells of its switches.
    """
    with _running(port) as world:
        if studio_file:
            tables = as_toml(sandbox_studio(world.describe()))
            studio_file.touch(mode=0o600)
            studio_file.write_text(f"{tables}\n{HOW_TO_WATCH}", encoding="utf-8")
        if json:
            print(json_module.dumps(world.describe()), flush=True)  # noqa: T201 - the output
        else:
            out.print(f"The sandbox is at {world.url}/")
            err.print("Ctrl-C ends it.")
        threading.Event().wait()


@contextmanager
def _running(port: int) -> Iterator[Sandbox]:
    from postflow.sandbox import Sandbox

    with ExitStack() as stack:
        try:
            world = stack.enter_context(Sandbox(port=port))
        except OSError as error:
            raise Fatal(
                f"The sandbox cannot listen at port {port} ({error.strerror}).",
                hint="Choose another one with --port; 0 takes any free one.",
                code="sandbox.port",
            ) from error
        yield world
