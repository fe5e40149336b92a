"""`postflow up`: all that a studio needs on one machine, as one tree of processes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from filelock import FileLock, Timeout

from postflow.errors import Fatal
from postflow.service.console import err, out, tell_if_open, tell_warning
from postflow.service.server import demand_server, own_prefect, prepare_prefect, ui_address
from postflow.state import address_told, lock_dir, state_dir

from .app import StudioOption, app
from .running import run, stoppable
from .setup import resume

if TYPE_CHECKING:
    from postflow.service.supervisor import Part

    from .news import News
    from .people import People

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
    from postflow.folder.enrolment import why_not_watched
    from postflow.ledger import Ledger

    from .backfill import enrol_folders

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
    from postflow.service.supervisor import be_a_part

    be_a_part()
    prepare_prefect(verbose=True, alone=False)
    demand_server()
    from postflow.blocks.studio import load_studio
    from postflow.flows.watch import watch as look_out

    from .backfill import enrol_folders

    if ask:
        block = asyncio.run(load_studio(studio))
        enrol_folders(block, studio, backfill, take_over=take_over)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    run(look_out(studio))


@app.command()
def serve(studio: StudioOption = "main", every: EveryOption = 300.0) -> None:
    """Run the deployments `ingest` and `deliver`: by event, by the clock, by hand. Until Ctrl-C."""
    from postflow.service.supervisor import be_a_part

    be_a_part()
    prepare_prefect(verbose=True, alone=False)
    demand_server()
    from postflow.service.serve import serve as serve_deployments

    run(serve_deployments(studio, every=every))


PORT = 4200
# An ingest run that is stopped withdraws its unfinished uploads and closes its tunnel.
RUN_LIMIT = 45.0


@app.command()
def up(
    studio: Annotated[
        list[str] | None,
        typer.Option(
            envvar="POSTFLOW_STUDIO", help="The Studio block to use; once for each of several."
        ),
    ] = None,
    file: Annotated[
        list[Path] | None,
        typer.Option(
            "--file",
            "-f",
            help="Apply this studio file first, as `setup` does, and use its studio.",
        ),
    ] = None,
    backfill: BackfillOption = None,
    take_over: TakeOverOption = False,
    every: EveryOption = 300.0,
    port: Annotated[
        int, typer.Option(help="Of a Prefect server of our own.", min=1, max=65535)
    ] = PORT,
) -> None:
    """All that a studio needs on one machine: Prefect's server, runner and look-out. Until Ctrl-C.

    A server is started only where PREFECT_API_URL or Prefect's profile names none.
    """
    from postflow.service.supervisor import end_leftovers

    from .people import People

    with stoppable(), ExitStack() as stack:
        stack.enter_context(_alone())
        end_leftovers(state_dir())
        prepare_prefect(verbose=True, alone=False)
        engine = stack.enter_context(a_prefect_server(port))
        tell_if_open(*file or [], *_folders_with_secrets())
        studios = [_apply(each) for each in file or []] or studio or ["main"]
        parts = [engine.server] if engine.server else []
        news, people = [], People()
        for name in dict.fromkeys(studios):
            news.append(stack.enter_context(closing(_enrol(name, backfill, take_over, people))))
            parts += stack.enter_context(_watched(name, every=every))
        out.print(f"PostFlow watches. Prefect's UI: {engine.url}/runs", markup=False)
        if engine.server:
            err.print("`postflow ui` opens it, and shows the password that it asks for.")
        err.print("Ctrl-C ends it all.")
        while True:
            for part in parts:
                people.look_after(part)
            for each in news:
                each.tell()
            time.sleep(1.0)


def _folders_with_secrets() -> tuple[Path, Path]:
    from postflow.service.exposure import folders_with_secrets

    return folders_with_secrets()


def _apply(file: Path) -> str:
    """Set up the studio of the file; its name."""
    from postflow.service.setup import read_studio_file, save_studio

    studio_file = read_studio_file(file)
    asyncio.run(save_studio(studio_file))
    return studio_file.studio.name


def _enrol(studio: str, backfill: str | None, take_over: bool, people: People) -> News:
    """Its watch folders are marked; what becomes of its clips from now on is news."""
    from postflow.blocks.studio import load_studio

    from .backfill import enrol_folders
    from .news import News

    block = asyncio.run(load_studio(studio))
    enrol_folders(block, studio, backfill, take_over=take_over)
    if why := asyncio.run(block.adobe.why_to_sign_in()):
        tell_warning(why)
    people.add(block.discord)
    resume(block, studio)
    news = News(studio, block.ledger)
    news.tell()
    return news


class Engine(NamedTuple):
    """Prefect: the UI's address, and the server where it is ours."""

    url: str
    server: Part | None


@contextmanager
def a_prefect_server(port: int) -> Iterator[Engine]:
    """The configured server, or one of our own that other commands find.

    Raises Fatal when ours does not start.
    """
    from prefect.settings import PREFECT_API_URL

    configured = PREFECT_API_URL.value()
    if configured:
        yield Engine(configured.removesuffix("/api"), None)
        return
    err.print("Starting Prefect …")
    url = ui_address(port)
    with (
        own_prefect(port, state_dir() / "server.log") as server,
        address_told(f"{url}/api"),
    ):
        yield Engine(url, server)


@contextmanager
def _watched(studio: str, *, every: float) -> Iterator[list[Part]]:
    """Its runner and its look-out; the look-out stops first, then what is on its way."""
    from postflow.service.supervisor import Part

    runner = Part(
        f"runner of studio {studio}",
        *("postflow", "serve", "--studio", studio, "--every", str(every)),
        log_path=state_dir() / f"serve-{studio}.log",
        limit=RUN_LIMIT,
    )
    watcher = Part(
        f"look-out of studio {studio}",
        *("postflow", "watch", "--no-enrol", "--studio", studio),
        log_path=state_dir() / f"watch-{studio}.log",
    )
    with runner.running(), watcher.running():
        yield [runner, watcher]


@contextmanager
def _alone() -> Iterator[None]:
    """Two of these on one machine would watch the same folders."""
    try:
        with FileLock(lock_dir() / "up.lock", timeout=0, mode=0o600):
            yield
    except Timeout as error:
        raise Fatal(
            "PostFlow is up already on this machine.",
            hint="Stop it first; one `postflow up` takes several studios: --studio a --studio b.",
            code="up.busy",
        ) from error
