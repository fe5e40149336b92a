"""The `postflow` command, and options that several of its commands share."""

from __future__ import annotations

import errno
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from postflow.errors import PostFlowError, Retry, engine_trouble
from postflow.service.console import exit_code, tell_error

from .running import stoppable

StudioOption = Annotated[
    str, typer.Option("--studio", envvar="POSTFLOW_STUDIO", help="The Studio block to use.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Show the flow's logs as they come.")
]
SceneOption = Annotated[
    str | None, typer.Option(help="Sequence or scene, where the name does not say it right.")
]
ShotOption = Annotated[str | None, typer.Option(help="Shot, where the name does not say it right.")]
# click's own check of readability would forestall ours, which has a remedy.
Files = Annotated[list[Path], typer.Argument(help="The clips.", metavar="FILE", readable=False)]

app = typer.Typer(
    name="postflow",
    help="Finished clips, delivered once and whole to Frame.io, announced in Discord.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def main() -> None:
    """Run the command; a foreseeable failure becomes one message and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # of a terminal that knows few characters
            stream.reconfigure(errors="replace")
    try:
        with stoppable():
            app()
    except PostFlowError as error:
        _end(error)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _end(_no_room(error))
    except Exception as error:
        if (trouble := engine_trouble(error)) is None:
            raise
        _end(trouble)


def _end(error: PostFlowError) -> NoReturn:
    tell_error(error)
    sys.exit(exit_code(error))


def _no_room(error: OSError) -> Retry:
    where = error.filename or "what it prints"
    return Retry(
        f"PostFlow cannot write {where}: {error.strerror}.",
        hint="Free some space there; nothing that was begun is lost.",
        code="postflow.disk_full",
    )
