"""`postflow hosts`: who delivers for a studio, and what each of them reaches; and what `postflow up
--join` asks a person on a further host.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postflow.errors import Fatal
from postflow.servers import API
from postflow.service.console import err, out, print_json
from postflow.service.server import prepare_prefect

from .app import JsonOption, StudioOption, app, opened

if TYPE_CHECKING:
    from postflow.ledger.hosts import Host
    from postflow.service.studio_file import StudioFile

ABSENT = "-"


@app.command()
def hosts(
    studio: StudioOption = None,
    forget: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Remove a host that will not come back: its block, deployments."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Which hosts deliver for the studio, since when, and what each of them reaches."""
    with opened(studio) as (_, studio, ledger):
        from postflow.ledger import hosts as ledger_hosts

        if forget:
            _forget(studio, forget, known=ledger_hosts.forget(ledger, studio, forget))
            return
        known, now = ledger_hosts.known(ledger, studio), ledger.now()
    if json:
        print_json([each.model_dump(mode="json") for each in known])
        return
    if not known:
        out.print("No host has watched for this studio yet.")
    for _, parts in groupby(known, key=lambda each: (each.name, each.machine)):
        _tell(list(parts), now)


def _tell(parts: list[Host], now: datetime) -> None:
    """Its watcher and its run of `ingest`, whichever there are, as one host."""
    living = [each for each in parts if each.lives]
    host = (living or parts)[0]
    if not living:
        last = max(each.seen_at for each in parts)
        out.print(f"{host.name}: not heard of since {_at(last)}", markup=False)
        return
    scans = [each.scanned_at for each in living if each.scanned_at]
    ago = f"last scan {(now - max(scans)).total_seconds():.0f} s ago" if scans else "no scan yet"
    travelling = sum(each.travelling for each in living)
    since = min(each.since for each in living)
    told = f"lives since {_at(since)}, {ago}, {travelling} of {host.at_once} clips on their way"
    out.print(f"{host.name}: {told}, clock {round(host.ahead, 1) + 0.0:+.1f} s", markup=False)
    for path in host.folders.values():
        out.print(f"  {path}", markup=False)
    for path, why in host.missing.items():
        out.print(f"  {path} is out of reach ({why})", markup=False)


def _at(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def _forget(studio: str, name: str, *, known: bool) -> None:
    from postflow.service.joining import forget

    if not (asyncio.run(forget(studio, name)) or known):
        raise Fatal(
            f"Studio {studio!r} knows no host {name!r}.",
            hint="`postflow hosts` lists them.",
            code="host.unknown",
        )
    out.print(f"{name} is forgotten. If it starts again, it joins as a new host.", markup=False)


JoinOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="Be a further host of the Prefect server there; kept for later starts."
    ),
]


def join_server(url: str, files: Sequence[StudioFile]) -> None:
    """Before anything of another server is used. Raises as `join` and `demand_shared` do."""
    api = os.environ[API] = url.rstrip("/").removesuffix("/api") + "/api"
    prepare_prefect(verbose=True, alone=False)
    from postflow.service.joining import demand_shared, join

    def ask() -> str:
        return str(
            typer.prompt(f"Password of Prefect's server at {api} (postflow:…)", hide_input=True)
        )

    join(api, ask if sys.stdin.isatty() else None)
    for each in files:
        demand_shared(each.studio.ledger, each.studio.name)


def ask_for_folder(folder: Path, places: Sequence[Path]) -> Path | None:
    for place in places if len(places) > 1 else ():
        err.print(f"It is at {place}, or that is a copy.", markup=False)
    said = typer.prompt(
        f"Where is {folder} on this host? ({ABSENT}: not here)",
        default=str(places[0]) if len(places) == 1 else ABSENT,
    )
    return Path(said).absolute() if said != ABSENT else None
