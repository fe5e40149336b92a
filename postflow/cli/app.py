"""The `postflow` command, what its commands share, and how they end, also by Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from postflow.errors import NO_ROOM, PostFlowError, as_ours, engine_told
from postflow.language import Language, spoken
from postflow.service.console import err, exit_code, out, tell_error, waiting
from postflow.service.server import prepare_prefect
from postflow.stop import Stop

from . import completion

if TYPE_CHECKING:
    from postflow.blocks.studio import Studio
    from postflow.ledger import Ledger

T = TypeVar("T")

StudioOption = Annotated[
    str | None,
    typer.Option(
        "--studio",
        envvar="POSTFLOW_STUDIO",
        help="The Studio block to use; by default “main”, or the only one.",
        autocompletion=completion.studios,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Show the flow's logs as they come.")
]
PortOption = Annotated[int, typer.Option(help="Of a Prefect server of our own.", min=1, max=65535)]
PORT = 4200
SceneOption = Annotated[
    str | None, typer.Option(help="Sequence or scene, where the name does not say it right.")
]
ShotOption = Annotated[str | None, typer.Option(help="Shot, where the name does not say it right.")]
# click's own check of readability would forestall ours, which has a remedy.
Files = Annotated[list[Path], typer.Argument(help="The clips.", metavar="FILE", readable=False)]

app = typer.Typer(
    name="postflow",
    no_args_is_help=True,
    rich_markup_mode="markdown",  # else a docstring's line ends are kept
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        out.print(f"postflow {version('postflow')}", markup=False)
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Finished clips, delivered once and whole to Frame.io, announced in Discord."""


def main() -> None:
    """Run the command; a foreseeable failure becomes one message and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # of a terminal that knows few characters
            stream.reconfigure(errors="replace")
    try:
        with stoppable(), engine_told():
            app()
    except PostFlowError as error:
        _end(error)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        _end(as_ours(error))


@contextmanager
def telling_in(language: Language) -> Iterator[None]:
    """What is said in this block, and the error that ends it."""
    with spoken(language):
        try:
            yield
        except PostFlowError as error:
            _end(error)


def _end(error: PostFlowError) -> NoReturn:
    tell_error(error)
    sys.exit(exit_code(error))


def studio_named(name: str | None) -> Studio:
    """The studio's blocks; Prefect has to be prepared before. Raises as `load_studio` does."""
    with waiting(f"Loading studio {name or ''}".rstrip()):
        from postflow.blocks.studio import load_studio

        return asyncio.run(load_studio(name))


def prepared_studio(name: str | None) -> Studio:
    """The studio's blocks, for a command that needs nothing else of Prefect."""
    prepare_prefect()
    return studio_named(name)


@contextmanager
def opened(studio: str | None) -> Iterator[tuple[Studio, str, Ledger]]:
    """The studio's blocks, its name, and its ledger. Raises as `load_studio` and `Ledger.open`."""
    block = prepared_studio(studio)
    from postflow.ledger import Ledger

    with Ledger.open(block.ledger) as ledger:
        yield block, block.document_name, ledger


class Stopped(SystemExit):
    """A signal ended the command, and what it had open is closed. Exit code 130 or 143."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


def run(work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns. A signal cancels it, and its clean-up is waited for; raises Stopped.

    The loop lives in a thread: in the main one Prefect handles SIGTERM during a flow, by an
    exception in whatever runs at that moment, clean-ups included.
    """
    stop = Stop(lambda: err.print("Stopping …"))
    with (
        ThreadPoolExecutor(1, "postflow", initializer=_spare_children) as pool,
        _handled(stop, signal.SIGINT, signal.SIGTERM),
    ):
        job = pool.submit(copy_context().run, asyncio.run, stop.guard(work))
        try:
            return job.result()
        except asyncio.CancelledError:
            if stop.number is None:
                raise
            raise Stopped(stop.number) from None


def _spare_children() -> None:
    """A Ctrl-C at the terminal goes to all; what this thread starts is stopped by it, in order."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM or Ctrl-C closes what the main thread has open, and raises Stopped.

    A second one does not disturb that.
    """
    with _handled(_stop_here, signal.SIGINT, signal.SIGTERM):
        yield


def _stop_here(number: int, _frame: FrameType | None) -> NoReturn:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise Stopped(number)


@contextmanager
def _handled(handler: Any, *numbers: signal.Signals) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    except Stopped:  # nothing disturbs what is still to be closed
        before = dict.fromkeys(numbers, signal.SIG_IGN)
        raise
    finally:
        for number, old in before.items():
            signal.signal(number, old)
