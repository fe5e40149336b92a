"""The `postflow` command."""

from __future__ import annotations

import sys

import typer

from postflow.errors import PostFlowError

from .exit_codes import exit_code
from .output import tell_error
from .running import stoppable

app = typer.Typer(
    name="postflow",
    help="Finished clips, delivered once and whole to Frame.io, announced in Discord.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def main() -> None:
    """Run the command; a foreseeable failure becomes one message and an exit code."""
    try:
        with stoppable():
            app()
    except PostFlowError as error:
        tell_error(error)
        sys.exit(exit_code(error))
