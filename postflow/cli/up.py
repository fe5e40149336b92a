"""`postflow up`: all that a studio needs on one machine, as one tree of processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from filelock import FileLock, Timeout
from pydantic import SecretStr
from rich.markup import escape

from postflow.errors import Fatal, PostFlowError
from postflow.models import Once
from postflow.service.console import err, out, tell_if_open, tell_warning
from postflow.service.server import own_prefect, prepare_prefect, ui_address
from postflow.state import address_told, lock_dir, state_dir

from .app import app, stoppable, studio_named
from .setup import resume
from .status import tell_unannounced
from .watch import BackfillOption, EveryOption, TakeOverOption, enrol_folders

if TYPE_CHECKING:
    from postflow.blocks.discord import DiscordWebhook
    from postflow.ledger import Clip, Ledger, MessageState
    from postflow.service.supervisor import Part

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
    from postflow.service.exposure import folders_with_secrets
    from postflow.service.supervisor import end_leftovers

    with stoppable(), ExitStack() as stack:
        stack.enter_context(_alone())
        end_leftovers(state_dir())
        prepare_prefect(verbose=True, alone=False)
        engine = stack.enter_context(a_prefect_server(port))
        tell_if_open(*file or [], *folders_with_secrets())
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


def _apply(file: Path) -> str:
    """Set up the studio of the file; its name."""
    from postflow.service.setup import read_studio_file, save_studio

    studio_file = read_studio_file(file)
    asyncio.run(save_studio(studio_file))
    return studio_file.studio.name


def _enrol(studio: str, backfill: str | None, take_over: bool, people: People) -> News:
    """Mark its watch folders; what becomes of its clips from now on is news."""
    block = studio_named(studio)
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


class People:
    """All the studios' Discord channels, for what concerns `up` itself. Messages do not go through
    the outbox, which a part that keeps ending might never send.
    """

    def __init__(self) -> None:
        self._channels: dict[str, DiscordWebhook] = {}
        self._troubles: Once[str] = Once()

    def add(self, channel: DiscordWebhook | None) -> None:
        """A studio's; several may share one."""
        if channel:
            self._channels[channel.get_url().get_secret_value()] = channel

    def look_after(self, part: Part) -> None:
        """`part.look()`, and one message while the part ends again and again. Raises as that."""
        try:
            part.look()
        except Fatal as error:
            self._tell("PostFlow has stopped", str(error))
            raise
        if not part.trouble:
            self._troubles.ends(part.name)
        elif self._troubles.begins(part.name):
            self._tell("A part of PostFlow does not last", part.trouble)

    def _tell(self, title: str, text: str) -> None:
        for channel in self._channels.values():
            try:
                asyncio.run(_post(channel, title, text))
            except PostFlowError as error:
                err.print(f"Discord was not told: {error}", markup=False)


async def _post(channel: DiscordWebhook, title: str, text: str) -> None:
    from postflow.discord.cards import notice_card

    async with channel.get_client() as discord:
        await discord.post(notice_card(title, text))


MARKS = {
    "delivered": "[green]✓[/green]",
    "skipped": "[yellow]![/yellow]",
    "failed": "[red]✗[/red]",
}


class News:
    """What `up` prints of one studio: clips that are delivered, skipped or failed, messages that
    Discord did not get, and what holds clips up. What was so before the first `tell` is no news.
    """

    def __init__(self, studio: str, where: SecretStr | None) -> None:
        self._studio = studio
        self._where = where
        self._ledger: Ledger | None = None
        self._last: int | None = None
        self._faults: Once[str] = Once()
        self._messages: Once[tuple[str, MessageState, str | None]] = Once()
        self._outages: Once[str] = Once()

    def tell(self) -> None:
        """Print what is new. A ledger that is away for a while is said once."""
        from postflow.ledger import Ledger, outages, outbox, queries

        try:
            self._ledger = self._ledger or Ledger.open(self._where)
            self._last, clips = queries.endings(self._ledger, self._studio, after=self._last)
            unannounced = outbox.unannounced(self._ledger, self._studio)
            held_up = outages.current(self._ledger, self._studio)
        except PostFlowError as error:
            if error.code == "ledger.replaced":
                self._last = None
            if self._faults.begins("ledger"):
                err.print(f"[yellow]![/yellow] {escape(str(error))}")
            return
        self._faults.ends("ledger")
        for clip in clips:
            _tell(clip)
        messages = {(each.key, each.state, each.code): each for each in unannounced}
        new = [messages[each] for each in self._messages.new(messages)]
        tell_unannounced(new, studio=self._studio)
        for code in self._outages.new(held_up):
            text = f"Clips wait, and go by themselves once it is mended: {held_up[code]}"
            err.print(f"[yellow]![/yellow] {escape(text)}")

    def close(self) -> None:
        if self._ledger:
            self._ledger.close()


def _tell(clip: Clip) -> None:
    mark = MARKS.get(clip.phase)
    if mark is None:  # it has been taken up again meanwhile
        return
    outcome = f" {clip.view_url}" if clip.phase == "delivered" else f": {clip.reason}"
    when = f"{clip.since.astimezone():%H:%M}"
    out.print(f"{mark} {when} {escape(clip.relpath + outcome)}")
    if clip.phase != "delivered":
        out.print(f"        → {clip.hint}", markup=False)
