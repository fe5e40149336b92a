"""`postflow sandbox`: the outside world in miniature."""

from __future__ import annotations

import json as json_module
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postflow.errors import Fatal
from postflow.service.console import err, out
from postflow.state import write_private

from .app import PORT, app

if TYPE_CHECKING:
    from postflow.sandbox import Sandbox


HOW_TO_WATCH = """\
# Without the marks, and with a folder of yours, `postflow up` watches it:
# [studio.watching]
# folders = ["/path/to/exports"]
"""


def sandbox_studio(world: dict[str, Any], *, name: str = "main") -> dict[str, dict[str, Any]]:
    """The tables of a studio file, from what the sandbox says of itself."""
    return {
        "studio": {"name": name},
        "frameio": {"project": world["project_name"], "base_url": world["url"]},
        "adobe": {
            "kind": "service",
            "client_id": world["client_id"],
            "client_secret": world["client_secret"],
            "ims_url": world["url"],
        },
        "tunnel": {
            "provider": "ngrok",
            "ngrok_path": world["ngrok_path"],
            "authtoken": world["ngrok_authtoken"],
        },
        "discord": {"url": world["discord_webhook_url"]},
    }


def with_sign_in(world: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the set-up need not ask: all but the sign-in and what concerns this machine."""
    tables = sandbox_studio(world, name="sandbox")
    del tables["tunnel"]
    tables["adobe"]["kind"] = "web"
    return tables | {"setup": {"way": "direct", "channel": "the sandbox"}}


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="0 takes any free port.", min=0, max=65535)] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON line only.")] = False,
    studio_file: Annotated[
        Path | None, typer.Option(help="Write a file for `postflow setup --file` there.")
    ] = None,
    setup: Annotated[
        bool, typer.Option("--setup", help="Set up the studio “sandbox” in it, sign-in included.")
    ] = False,
    like: Annotated[
        Path | None, typer.Option(help="Be like the Frame.io that `postflow contact` has met.")
    ] = None,
) -> None:
    """Run Frame.io, Adobe, Discord and an ngrok agent in miniature, until Ctrl-C.

    `python -m postflow.sandbox --help` tells of its switches.
    """
    with _running(port, _answers(like) if like else {}) as world:
        if studio_file:
            from postflow.service.studio_file import as_toml

            tables = as_toml(sandbox_studio(world.describe()))
            write_private(studio_file, f"{tables}\n{HOW_TO_WATCH}")
        if json:
            print(json_module.dumps(world.describe()), flush=True)  # noqa: T201 - the output
        else:
            out.print(f"The sandbox is at {world.url}/")
            err.print("Ctrl-C ends it.")
        if setup:
            from .setup_questions import ask_and_start

            ask_and_start("sandbox", with_sign_in(world.describe()), afresh=True, port=PORT)
        threading.Event().wait()


def _answers(like: Path) -> dict[str, Any]:
    from postflow.service.contact.report import read_answers

    return read_answers(like)


@contextmanager
def _running(port: int, switches: dict[str, Any]) -> Iterator[Sandbox]:
    from postflow.sandbox import Sandbox

    with ExitStack() as stack:
        try:
            world = stack.enter_context(Sandbox(port=port, **switches))
        except OSError as error:
            raise Fatal(
                f"The sandbox cannot listen at port {port} ({error.strerror}).",
                hint="Choose another one with --port; 0 takes any free one.",
                code="sandbox.port",
            ) from error
        yield world
