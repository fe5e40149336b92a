"""`postflow setup`: a studio's blocks, from a file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from postflow.service.console import out, tell_if_open
from postflow.service.engine import prepare_prefect

from .app import app
from .resume import resume


@app.command()
def setup(
    file: Annotated[
        Path,
        typer.Option("--file", "-f", help="The studio's TOML file; see docs/configuration.md."),
    ],
) -> None:
    """Create or replace a studio's blocks from a TOML file."""
    prepare_prefect()
    from postflow.service.exposure import folders_with_secrets
    from postflow.service.setup import read_studio_file, save_studio

    studio_file = read_studio_file(file)
    tell_if_open(file, *folders_with_secrets())
    block = asyncio.run(save_studio(studio_file))
    name = studio_file.studio.name
    out.print(f"[green]✓[/green] Studio [bold]{name}[/bold] is saved in Prefect.")
    resume(block, name)
    option = "" if name == "main" else f" --studio {name}"
    if studio_file.adobe.get("kind", "web") != "service":
        out.print(f"  Next: postflow login{option}")
    out.print(f"  Then: postflow check{option}")
