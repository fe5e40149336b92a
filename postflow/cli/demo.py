"""`postflow demo`: the whole journey, with the sandbox in the place of the world."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.panel import Panel
from rich.table import Table

from postflow.errors import PostFlowError
from postflow.models import Delivery

from .app import app
from .engine import prepare_prefect
from .exit_codes import exit_code
from .output import err, out, tell_error
from .progress import ClipBars
from .sandbox_studio import sandbox_studio
from .server import free_port, prefect_server

CLIP = "SQ07_UNDLM_00152_v003.mov"


@app.command()
def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Stay up until Ctrl-C, to look around.")
    ] = False,
    home: Annotated[Path, typer.Option(help="Where the demo keeps its things.")] = Path(".demo"),
) -> None:
    """Deliver a real clip through real pyngrok into the sandbox, and show the links."""
    prepare_prefect()
    from sandbox import Sandbox

    started = time.monotonic()
    home = home.absolute()
    os.environ["POSTFLOW_STATE_DIR"] = str(home / "state")
    err.print("Starting the sandbox: Frame.io, Adobe, ngrok and Discord in miniature …")
    with Sandbox() as world:
        err.print("Starting Prefect …")
        with prefect_server(home / "prefect", free_port()) as prefect_url:
            outcome = asyncio.run(_deliver(world.describe(), _drop_clip(home / "watch")))
            if isinstance(outcome, PostFlowError):
                tell_error(outcome, subject=CLIP)
                raise typer.Exit(exit_code(outcome))
            _show(outcome, world.messages(), time.monotonic() - started)
            if keep:
                _stay(world.url, prefect_url)


def _drop_clip(folder: Path) -> Path:
    from sandbox.clips import clip_path

    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(clip_path(), folder / CLIP))


async def _deliver(world: dict[str, Any], clip: Path) -> Delivery | PostFlowError:
    from blocks.setup import StudioFile, save_studio

    from .upload import deliver_all

    await save_studio(StudioFile.model_validate(sandbox_studio(world)))
    err.print(f"Delivering {CLIP} …")
    outcomes = await deliver_all([clip], studio="main", bars=ClipBars())
    return outcomes[clip]


def _show(delivery: Delivery, messages: list[dict[str, Any]], seconds: float) -> None:
    table = Table.grid(padding=(0, 2))
    for label, value in (
        ("Folder", delivery.folder.label),
        ("File", f"{delivery.remote.name}, {delivery.remote.size:,} bytes, whole"),
        ("Frame.io", delivery.view_url),
        ("Discord", _message(messages)),
        ("Time", f"{seconds:.0f} s, Prefect's start included"),
    ):
        table.add_row(f"[bold]{label}[/bold]", value)
    out.print(Panel(table, title="Delivered", border_style="green", expand=False))


def _message(messages: list[dict[str, Any]]) -> str:
    embeds = messages[-1].get("embeds") if messages else None
    return str(embeds[0].get("title", "")) if embeds else "no message"


def _stay(world_url: str, prefect_url: str) -> None:
    out.print(f"The sandbox's page: {world_url}/")
    out.print(f"Prefect's UI:       {prefect_url}/runs")
    err.print("Ctrl-C ends it all.")
    threading.Event().wait()
