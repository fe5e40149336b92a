"""`postflow ui`: Prefect's UI, and the password that it asks for."""

from __future__ import annotations

import os
import webbrowser
from typing import Annotated

import typer

from postflow.errors import Fatal
from postflow.servers import API, is_ours, password, told_address
from postflow.service.console import err, out

from .app import app


@app.command()
def ui(
    only_password: Annotated[
        bool, typer.Option("--password", help="Print nothing but the password; open nothing.")
    ] = False,
) -> None:
    """Open Prefect's UI, and show the password that it asks for once in each browser."""
    address = _demand_ours()
    if only_password:
        print(password())  # noqa: T201 - the command's output
        return
    url = f"{address.removesuffix('/api')}/runs"
    out.print(url, markup=False)
    out.print(f"Password: {password()}", markup=False)
    err.print(
        "Until it has it, the page says “Authentication failed”. Whoever has it can do all that"
    )
    err.print("PostFlow can, and read all secrets of the studio.")
    webbrowser.open(url)


def _demand_ours() -> str:
    """Nobody else is told our password, and of a server of one's own we know none."""
    address, given = told_address(), os.environ.get(API)
    if address and given in (None, "", address) and is_ours(address):
        return address
    raise Fatal(
        f"{given} is not the server of `postflow up`." if given else "`postflow up` does not run.",
        hint="Open your own server's UI as you have set it up."
        if given
        else "Start it: the UI is there for as long as it runs.",
        code="prefect.no_ui",
    )
