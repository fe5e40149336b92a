"""`postflow setup` by questions: asked while Prefect starts, then saved, checked, and started."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from postflow.errors import Fatal
from postflow.language import N_, _, of_system, spoken, told
from postflow.service.console import err, out, waiting
from postflow.service.server import prepare_prefect
from postflow.service.studio_file import STUDIO_NAME
from postflow.state import remembered_studio, state_dir, write_private

from .app import Stopped, run, telling_in
from .check import check_and_tell
from .contact import ask_and_tell
from .service import install
from .setup import resume
from .up import Engine, keep_up, starting
from .watch import enrol_folders

if TYPE_CHECKING:
    from postflow.blocks.studio import Studio
    from postflow.service.setup.draft import Draft
    from postflow.service.setup.prompts import Desk

Ready = Callable[[], Engine]
STARTS = (
    ("here", N_("Now, in this terminal, until Ctrl-C")),
    ("service", N_("Now and always: as a service of this machine")),
    ("later", N_("Not now")),
    ("change", N_("Change an answer first")),
)
AND_NOW = {
    "service": N_("What ran beside the questions ends, and the service begins."),
    "later": N_("`postflow up --studio {studio}` starts it."),
    "beside": N_("`postflow up` runs already: start it anew with this studio, too."),
}
INTRODUCTION = N_(
    "PostFlow delivers finished clips from a watched folder to Frame.io. Eight short steps; each "
    "answer is tried at once. Ctrl-C ends it at any time: the next `postflow setup` goes on from "
    "there."
)


def ask_and_start(
    studio: str,
    tables: dict[str, dict[str, Any]],
    *,
    write: Path | None = None,
    afresh: bool = False,
    by_paste: bool = False,
    port: int,
) -> None:
    """Ask what `tables`, parts of a studio file, leave open. Raises Fatal `setup.no_terminal`;
    Stopped, when a person ends it.
    """
    from postflow.service.setup.prompts import demand_terminal

    with telling_in(of_system()):
        demand_terminal()
        if not re.fullmatch(STUDIO_NAME, studio):
            raise typer.BadParameter(_("a studio's name is of a to z, 0 to 9 and -"))
        with _interruptible(), _engine(port) as ready:
            from postflow.service.setup.draft import Draft

            if afresh:
                Draft.of(studio).forget()
            draft = Draft.of(studio, tables)
            with telling_in(draft.language):
                start = _ask(draft, ready, write, by_paste=by_paste)
    if start == "service":  # once the server that ran beside the questions has ended
        install([studio])


def _ask(draft: Draft, ready: Ready | None, write: Path | None, *, by_paste: bool) -> str:
    with waiting(N_("Loading PostFlow")):
        from postflow.service.setup.prompts import Desk, Prompts
        from postflow.service.setup.steps import walk

    desk = Desk(draft, Prompts(), run, by_paste)
    out.print(_(INTRODUCTION), markup=False)
    if remembered_studio(draft.name):
        there = N_("Studio {name!r} is there already; it is replaced at the end only.")
        out.print(told(N_(there, name=draft.name)))
    walk(desk)
    return _save_and_start(desk, ready, write)


@contextmanager
def _interruptible() -> Iterator[None]:
    """While a question is asked, Ctrl-C is a key like others, and Ctrl-D another."""
    try:
        yield
    except (KeyboardInterrupt, EOFError):
        err.print(_("Stopped. `postflow setup` goes on from here; with --afresh it begins anew."))
        raise Stopped(signal.SIGINT) from None


@contextmanager
def _engine(port: int) -> Iterator[Ready | None]:
    """Starts while questions are asked; None beside an `up` that runs already."""
    with ExitStack() as stack:
        try:
            ready = stack.enter_context(starting(port))
        except Fatal as busy:
            if busy.code != "up.busy":
                raise
            prepare_prefect()
            ready = None
        yield ready


def _save_and_start(desk: Desk, ready: Ready | None, write: Path | None) -> str:
    """How it runs from now on: one of the STARTS."""
    from postflow.service.setup.steps import change

    name = desk.draft.name
    while True:
        engine = ready() if ready else None
        block = _saved(desk, write)
        if _wants_contact(desk):
            ask_and_tell(block, state_dir() / f"contact-{name}.json")
        start = desk.ask.choose(N_("Start PostFlow?"), STARTS) if engine else "beside"
        if start != "change":
            break
        change(desk)
    desk.draft.forget()
    out.print("[green]✓[/green] " + told(N_("Set up, with {many} answers.", many=desk.ask.asked)))
    if start == "here" and engine:
        with spoken("en"):  # as all commands but this one
            keep_up(engine, [name])
    else:
        out.print(told(N_(AND_NOW[start], studio=name)), markup=False)
    return start


def _saved(desk: Desk, write: Path | None) -> Studio:
    """The studio in Prefect, its folder enrolled, and all of it checked. Raises Fatal
    `setup.check`.
    """
    from postflow.service.setup.draft import ASIDE

    name, backlog = desk.draft.name, str(desk.draft.get(ASIDE, "backlog"))
    if write:
        write_private(write.absolute(), desk.draft.text())
    with waiting(N_("Saving the studio")):
        block = run(_save(desk.draft))
    saved = N_("Studio [bold]{name}[/bold] is saved. All of it once more:", name=name)
    out.print(f"\n[green]✓[/green] {told(saved)}")
    enrol_folders(block, name, backlog)
    resume(block, name)
    findings = run(check_and_tell(block))
    if any(finding.verdict == "failed" for finding in findings):
        raise Fatal(
            N_("Something of the set-up is not right yet."),
            hint=N_(
                "Mend what it says above, and run `postflow setup` again: nothing that is answered "
                "is asked again."
            ),
            code="setup.check",
        )
    return block


async def _save(draft: Draft) -> Studio:
    """With the sign-in of the questions."""
    from postflow.service.save_studio import save_studio
    from postflow.service.setup.adobe import hand_over

    studio = await save_studio(draft.file())
    await hand_over(draft, studio)
    return studio


def _wants_contact(desk: Desk) -> bool:
    options = (
        ("no", N_("No, later: postflow contact")),
        ("yes", N_("Yes: a minute or two")),
    )
    question = N_("Ask this Frame.io first what its documents leave open?")
    return desk.ask.choose(question, options) == "yes"
