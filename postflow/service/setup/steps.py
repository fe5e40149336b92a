"""The steps of the set-up, in the order in which a person meets them."""

from __future__ import annotations

from rich.markup import escape

from postflow.errors import PostFlowError
from postflow.language import N_, Words, told
from postflow.service.console import out, tell_error

from .adobe import credential_said, take_credential, take_sign_in
from .discord import take_channel
from .folder import folder_said, names_said, take_backlog, take_folder, take_names
from .place import project_said, take_project, take_way, way_said
from .prompts import Desk, Step

CREDENTIAL = Step(N_("Adobe: a credential for PostFlow"), take_credential, credential_said)
SIGN_IN = Step(N_("Adobe: sign in"), take_sign_in, lambda draft: draft.said("signed_in"))
STEPS = (
    CREDENTIAL,
    SIGN_IN,
    Step(N_("Frame.io: the project"), take_project, project_said),
    Step(N_("How clips travel"), take_way, way_said),
    Step(N_("Discord: who is told"), take_channel, lambda draft: draft.said("channel")),
    Step(N_("The watch folder"), take_folder, folder_said),
    Step(N_("What names mean"), take_names, names_said),
    Step(N_("Clips that are there already"), take_backlog, lambda draft: draft.said("backlog")),
)
# Which step has to be taken anew where another one meets these.
MENDED_BY = {
    "adobe.client_refused": CREDENTIAL,
    "adobe.redirect_not_local": CREDENTIAL,
    "adobe.signed_out": SIGN_IN,
    "adobe.not_signed_in": SIGN_IN,
}


WHAT_NOW = N_("What now? Ctrl-C ends, and nothing is lost.")
CHANGE = "change"
WAYS_ON = (("again", N_("Try it again")), (CHANGE, N_("Change an earlier answer")))


def walk(desk: Desk) -> None:
    """Take all that are not answered yet."""
    for number, step in enumerate(STEPS, 1):
        if said := step.said(desk.draft):
            out.print(f"[green]✓[/green] {escape(told(_answered(step, said)))}")
            continue
        of_all = N_("{number} of {many}", number=number, many=len(STEPS))
        out.print(f"\n[bold]{told(of_all)}  {told(step.title)}[/bold]")
        take(desk, step)


def _answered(step: Step, said: str) -> Words:
    return N_("{name}: {why}", name=step.title, why=said)


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
            elif desk.ask.asked == asked and desk.ask.choose(WHAT_NOW, WAYS_ON) == CHANGE:
                return change(desk)


def change(desk: Desk) -> None:
    """One of the answers, and what hangs on it or is not answered yet."""
    known = [(step, step.said(desk.draft)) for step in STEPS]
    options = [(step.title, _answered(step, said)) for step, said in known if said]
    title = desk.ask.choose(N_("Which one?"), options)
    take(desk, next(step for step in STEPS if step.title == title))
    walk(desk)
