"""What `postflow up --join` asks a person on a further host."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postflow.servers import API
from postflow.service.server import prepare_prefect

if TYPE_CHECKING:
    from postflow.service.studio_file import StudioFile

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
        return str(typer.prompt("Its password", hide_input=True))

    join(api, ask if sys.stdin.isatty() else None)
    for each in files:
        demand_shared(each.studio.ledger, each.studio.name)


def ask_for_folder(folder: Path, places: Sequence[Path]) -> Path | None:
    said = typer.prompt(
        f"Where is {folder} on this host? (empty: it is not here)",
        default=str(places[0]) if len(places) == 1 else "",
    )
    return Path(said).absolute() if said else None
