"""`postflow up`: all that a studio needs on one machine; one task for each of its processes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from filelock import FileLock, Timeout

from postflow.errors import Fatal
from postflow.language import N_
from postflow.servers import address_told
from postflow.service.console import err, out, tell_if_open, tell_warning, waiting
from postflow.service.server import (
    prepare_prefect,
    starting_prefect,
    ui_address,
    wait_until_healthy,
)
from postflow.state import lock_dir, state_dir, this_host

from . import completion
from .app import PORT, PortOption, app, run, studio_named
from .hosts import JoinOption, ask_for_folder, join_server
from .news import News, news_of
from .setup import resume
from .watch import BackfillOption, EveryOption, TakeOverOption, demand_choice, enrol_folders

if TYPE_CHECKING:
    from postflow.blocks.studio import Studio
    from postflow.service.joining import Settled
    from postflow.service.studio_file import StudioFile
    from postflow.service.supervisor import Part, Tell

StudiosOption = Annotated[
    list[str] | None,
    typer.Option(
        "--studio",
        envvar="POSTFLOW_STUDIO",
        help="The Studio block to use; once for each of several.",
        autocompletion=completion.studios,
    ),
]
FilesOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--file", "-f", help="Apply this studio file first, as `setup` does, and use its studio."
    ),
]
PagePortOption = Annotated[
    int, typer.Option(help="Of the page of clips; where it is taken, any.", min=1, max=65535)
]
PAGE_PORT = 4280
EVERY = 300.0
NOT_ALL_HERE = (
    "Not all watch folders of {name} are found on this host. They are looked for on all that is "
    "mounted, every 30 s; until then it delivers from the others. If one is not to be here, name "
    "those that are by POSTFLOW_FOLDERS, or by [studio.hosts.{host}] in the studio file."
)
# An ingest run that is stopped withdraws its unfinished uploads and closes its tunnel.
RUN_LIMIT = 45.0


@app.command()
def up(
    studio: StudiosOption = None,
    file: FilesOption = None,
    backfill: BackfillOption = None,
    take_over: TakeOverOption = False,
    every: EveryOption = EVERY,
    port: PortOption = PORT,
    page_port: PagePortOption = PAGE_PORT,
    join: JoinOption = None,
) -> None:
    """Watch, deliver and serve the page of clips, with all that it takes. Until Ctrl-C.

    A server is started only where PREFECT_API_URL or Prefect's profile names none. A second host
    takes the first one's with --join, once.
    """
    from postflow.service.studio_file import read_studio_file

    files = [read_studio_file(each) for each in file or []]
    demand_choice(backfill)
    joining = partial(join_server, join, files) if join else None
    with starting(port, joining) as ready:
        engine = ready()
        from postflow.service.exposure import folders_with_secrets

        tell_if_open(*file or [], *folders_with_secrets())
        names = [_apply(each) for each in files] or studio or [studio_named(None).document_name]
        keep_up(
            engine,
            names,
            backfill=backfill,
            take_over=take_over,
            joins=bool(join),
            every=every,
            page_port=page_port,
        )


def keep_up(
    engine: Engine,
    names: Sequence[str],
    *,
    backfill: str | None = None,
    take_over: bool = False,
    joins: bool = False,
    every: float = EVERY,
    page_port: int = PAGE_PORT,
) -> None:
    """Runner and watcher of each studio, and the page of clips, until a signal."""
    from postflow.engine.heartbeat import tell_people
    from postflow.service.page import serving_page

    with ExitStack() as stack:
        settled = {
            name: _enrol(name, backfill, take_over, joins=joins) for name in dict.fromkeys(names)
        }
        studios = {name: each.studio for name, each in settled.items()}
        news = [stack.enter_context(news_of(name, each.ledger)) for name, each in studios.items()]
        of_studios = {name: _parts(name, every) for name in studios}
        parts = [part for each in of_studios.values() for part in each]
        for part in parts:
            stack.enter_context(part.running())
        settling = [
            partial(_settle, name, each.studio, of_studios[name][-1])
            for name, each in settled.items()
            if not each.has_all
        ]
        page = stack.enter_context(serving_page(studios, page_port, prefect=f"{engine.url}/runs"))
        out.print(f"PostFlow watches. Clips: {page.url}", markup=False)
        out.print(f"Prefect's UI: {engine.url}/runs", markup=False)
        err.print("`postflow ui` opens the page of clips, and shows the password that it asks for.")
        if engine.server:
            parts.append(engine.server)
        err.print("Ctrl-C ends it all.")
        tell = partial(tell_people, studios.values())
        run(_supervise(parts, news, [page.keep_served, *settling], tell))


async def _supervise(
    parts: Sequence[Part],
    news: Sequence[News],
    beside: Sequence[Callable[[], Coroutine[Any, Any, object]]],
    tell: Tell,
) -> None:
    """Until cancelled. Raises Fatal `up.ended` when a part does not last."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in beside:
                group.create_task(work())
            for part in parts:
                group.create_task(part.keep_running(tell))
            while True:
                for each in news:  # whose ledger may hang
                    await asyncio.to_thread(each.tell)
                await asyncio.sleep(1.0)
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None


async def _settle(name: str, studio: Studio, watcher: Part) -> None:
    """Watch folders that are not on this host yet are looked for, and then watched."""
    from postflow.service.joining import arrivals

    async for found in arrivals(studio, name):
        folders = ", ".join(map(str, found.watching.folders))
        here = f"The watch folders of {name} are here: {folders}. Its watcher begins anew."
        err.print(here, markup=False)
        watcher.restart()


def _apply(file: StudioFile) -> str:
    """Set up the studio of the file; its name."""
    from postflow.service.save_studio import save_studio

    asyncio.run(save_studio(file))
    return file.studio.name


def _enrol(name: str, backfill: str | None, take_over: bool, *, joins: bool) -> Settled:
    """The studio as it is on this host; its watch folders are marked."""
    from postflow.service.joining import demand_shared, settle_in

    studio = studio_named(name)
    if joins:
        demand_shared(studio.ledger, name)
    ask = ask_for_folder if sys.stdin.isatty() else None
    settled = asyncio.run(settle_in(studio, name, ask))
    studio = settled.studio
    if not settled.has_all:
        err.print(NOT_ALL_HERE.format(name=name, host=this_host()), markup=False)
    enrol_folders(studio, name, backfill, take_over=take_over)
    if why := asyncio.run(studio.adobe.why_to_sign_in()):
        tell_warning(why)
    resume(studio, name)
    return settled


class Engine(NamedTuple):
    """Prefect: the UI's address, and the server where it is ours."""

    url: str
    server: Part | None


@contextmanager
def starting(
    port: int, joining: Callable[[], object] | None = None
) -> Iterator[Callable[[], Engine]]:
    """The only `up` of this machine, and its server, unless it is `joining` another host's; what
    is yielded waits until that answers.

    Raises Fatal `up.busy`, or when the server does not start.
    """
    from postflow.service.supervisor import end_leftovers

    with alone():
        end_leftovers(state_dir())
        if joining:
            joining()
        prepare_prefect(verbose=True, alone=False)
        with a_prefect_server(port) as ready:
            yield ready


@contextmanager
def a_prefect_server(port: int) -> Iterator[Callable[[], Engine]]:
    """The configured server, or one of our own that other commands find."""
    from prefect.settings import PREFECT_API_URL

    if configured := PREFECT_API_URL.value():
        yield lambda: Engine(configured.removesuffix("/api"), None)
        return
    url, log = ui_address(port), state_dir() / "server.log"
    with starting_prefect(port, log) as server, ExitStack() as stack:

        def ready() -> Engine:
            with waiting(N_("Starting Prefect")):
                wait_until_healthy(server.process, url, log)
            stack.enter_context(address_told(f"{url}/api"))
            return Engine(url, server)

        yield ready


def _parts(studio: str, every: float) -> list[Part]:
    """Its runner and its watcher; the watcher stops first, then what is on its way."""
    from postflow.service.supervisor import Part

    runner = Part(
        f"runner of studio {studio}",
        ("postflow", "serve", "--studio", studio, "--every", str(every)),
        state_dir() / f"serve-{studio}.log",
        limit=RUN_LIMIT,
    )
    watcher = Part(
        f"watcher of studio {studio}",
        ("postflow", "watch", "--no-enrol", "--studio", studio),
        state_dir() / f"watch-{studio}.log",
    )
    return [runner, watcher]


@contextmanager
def alone() -> Iterator[None]:
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
