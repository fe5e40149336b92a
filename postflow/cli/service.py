"""`postflow service`: have this machine keep `postflow up` running."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from postflow.errors import Fatal
from postflow.service.console import err, out

from .app import app, prepared_studio
from .up import StudiosOption

if TYPE_CHECKING:
    from postflow.service.user_service import UserService


class Action(StrEnum):
    INSTALL = "install"
    UNINSTALL = "uninstall"
    STATUS = "status"


@app.command()
def service(
    action: Annotated[
        Action, typer.Argument(help="Make and start it; stop and remove it; or see if it runs.")
    ],
    studio: StudiosOption = None,
) -> None:
    """Have this machine run `postflow up` for you, and start it again after a restart."""
    if action is Action.INSTALL:
        install(studio or [prepared_studio(None).document_name])
        return
    from postflow.service.user_service import carried_out, this_service

    known = this_service(studio or [])
    if not known.file.exists():
        raise Fatal(
            "PostFlow is no service of yours on this machine.",
            hint="`postflow service install` makes it one.",
            code="service.none",
        )
    if action is Action.UNINSTALL:
        known.uninstall()
        out.print("The service is stopped and removed. Ledger, studios and sign-in stay.")
    else:
        runs = "runs" if carried_out(known.show) else "does not run"
        out.print(f"It {runs}, by {known.manager}: {known.file}", markup=False)


def install(studios: Sequence[str]) -> None:
    """Write the service, start it, or say how it is started."""
    from postflow.service.user_service import this_service

    made = this_service(studios)
    failed = made.install()
    out.print(f"[green]✓[/green] Written: {made.file}")
    _tell_of_secrets(made)
    if failed:
        err.print(f"[yellow]![/yellow] {made.manager} could not be told from here. By hand:")
        for command in made.start:
            err.print(f"  → {' '.join(command)}", markup=False)
    else:
        out.print("[green]✓[/green] PostFlow runs, and is started again with this machine.")
    err.print(made.lasts, markup=False)


def _tell_of_secrets(made: UserService) -> None:
    """A file that others may copy is no place for them."""
    from postflow.service.user_service import left_out, secrets_file

    if not (names := left_out(os.environ)):
        return
    where = f"write them into {secrets_file()} (chmod 600)"
    place = where if made.manager == "systemd" else "keep them in the studio: `postflow setup`"
    err.print(f"[yellow]![/yellow] Not written down, being secret: {', '.join(names)}")
    err.print(f"  → If the service needs them, {place}", markup=False)
