"""`postflow ui`: the page of clips and Prefect's UI, and the passwords that they ask for."""

from __future__ import annotations

import os
import webbrowser
from typing import Annotated

import typer

from postflow.errors import Fatal
from postflow.servers import (
    API,
    PAGE,
    is_ours,
    our_server,
    password,
    reading_password,
    told_address,
)
from postflow.service.console import err, out

from .app import app


@app.command()
def ui(
    runs: Annotated[bool, typer.Option("--runs", help="Prefect's UI instead, with the runs.")] = (
        False
    ),
    only_password: Annotated[
        bool, typer.Option("--password", help="Print nothing but the password; open nothing.")
    ] = False,
) -> None:
    """Open the page of clips, and show the password that it asks for once in each browser."""
    if only_password:
        _demand_ours()
        print(password())  # noqa: T201 - the command's output
        return
    url = f"{_demand_ours().removesuffix('/api')}/runs" if runs else _demand_page()
    out.print(url, markup=False)
    out.print(f"Password: {password()}", markup=False)
    if runs:
        err.print(
            "Until it has it, the page says “Authentication failed”. Whoever has it can do all that"
        )
        err.print("PostFlow can, and read all secrets of the studio.")
    else:
        out.print(f"For looking only: {reading_password()}", markup=False)
        err.print("Whoever has the first can do all that PostFlow can; both look at all clips.")
        err.print("`postflow ui --runs` opens Prefect's UI, which asks for the first.")
    webbrowser.open(url)


def _demand_page() -> str:
    """Its address, if whoever listens there is ours: nobody else is told the password."""
    url = told_address(PAGE)
    if url and is_ours(url):
        return url
    raise Fatal(
        "`postflow up` does not run.",
        hint="Start it: the page is there for as long as it runs.",
        code="prefect.no_ui",
    )


def _demand_ours() -> str:
    """Nobody else is told our password, and of a server of one's own we know none."""
    if address := our_server(shared=False):
        return address
    given = os.environ.get(API)
    other = given or (told_address(PAGE) and "Prefect's server")
    raise Fatal(
        f"{other} is not that of `postflow up`." if other else "`postflow up` does not run.",
        hint="Open your own server's UI as you have set it up."
        if other
        else "Start it: the UI is there for as long as it runs.",
        code="prefect.no_ui",
    )
