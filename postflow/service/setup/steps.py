"""The steps of the set-up, in the order in which a person meets them."""

from __future__ import annotations

from postflow.errors import PostFlowError
from postflow.service.console import out, tell_error

from .adobe import credential_said, signed_in_said, take_credential, take_sign_in
from .discord import channel_said, take_channel
from .folder import (
    backlog_said,
    folder_said,
    names_said,
    take_backlog,
    take_folder,
    take_names,
)
from .place import project_said, take_project
from .step import Desk, Step
from .travel import take_way, way_said

CREDENTIAL = Step("Adobe: a credential for PostFlow", take_credential, credential_said)
SIGN_IN = Step("Adobe: sign in", take_sign_in, signed_in_said)
STEPS = (
    CREDENTIAL,
    SIGN_IN,
    Step("Frame.io: the project", take_project, project_said),
    Step("How clips travel", take_way, way_said),
    Step("Discord: who is told", take_channel, channel_said),
    Step("The watch folder", take_folder, folder_said),
    Step("What names mean", take_names, names_said),
    Step("Clips that are there already", take_backlog, backlog_said),
)
# Which step has to be taken anew where another one meets these.
MENDED_BY = {
    "adobe.client_refused": CREDENTIAL,
    "adobe.redirect_not_local": CREDENTIAL,
    "adobe.signed_out": SIGN_IN,
    "adobe.not_signed_in": SIGN_IN,
}


def walk(desk: Desk) -> None:
    """Take all that are not answered yet."""
    for number, step in enumerate(STEPS, 1):
        if said := step.said(desk.draft):
            out.print(f"[green]✓[/green] {step.title}: ", end="")
            out.print(said, markup=False)
            continue
        out.print(f"\n[bold]{number} of {len(STEPS)}  {step.title}[/bold]")
        take(desk, step)


def take(desk: Desk, step: Step) -> None:
    """Again until what is answered is proven."""
    while True:
        asked = desk.ask.asked
        try:
            return step.take(desk)
        except PostFlowError as error:
            tell_error(error)
            mends = MENDED_BY.get(error.code)
            if mends and mends is not step:
                take(desk, mends)
            elif desk.ask.asked == asked:
                desk.ask.enter("Enter tries it again; Ctrl-C ends, and nothing is lost.")


def change(desk: Desk) -> None:
    """One of the answers, and what hangs on it."""
    options = [(step.title, f"{step.title}: {step.said(desk.draft)}") for step in STEPS]
    title = desk.ask.choose("Which one?", options)
    take(desk, next(step for step in STEPS if step.title == title))
    walk(desk)
