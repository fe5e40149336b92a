"""`postflow demo`: the whole journey, with the sandbox in the place of the world."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .app import app
from .output import err, out
from .sandbox_studio import as_toml, sandbox_studio
from .server import free_port, prefect_server

if TYPE_CHECKING:
    from sandbox import Sandbox

CLIP = "SQ07_UNDLM_00152_v003.mov"


@app.command()
def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Stay up until Ctrl-C, to look around.")
    ] = False,
    home: Annotated[Path, typer.Option(help="Where the demo keeps its things.")] = Path(".demo"),
) -> None:
    """Deliver a real clip through real pyngrok into the sandbox, and show the links."""
    from sandbox import Sandbox

    started = time.monotonic()
    home = home.absolute()
    os.environ["POSTFLOW_STATE_DIR"] = str(home / "state")
    err.print("Starting the sandbox: Frame.io, Adobe, ngrok and Discord in miniature …")
    with Sandbox() as world:
        err.print("Starting Prefect …")
        with prefect_server(home / "prefect", free_port()) as prefect_url:
            _deliver(world, home)
            _show(world, time.monotonic() - started)
            if keep:
                _stay(world.url, prefect_url)


def _deliver(world: Sandbox, home: Path) -> None:
    """What a person would type, in processes of their own."""
    studio_file = home / "studio.toml"
    studio_file.touch(mode=0o600)
    studio_file.write_text(as_toml(sandbox_studio(world.describe())), encoding="utf-8")
    _postflow("setup", "--file", studio_file)
    _postflow("upload", _drop_clip(home / "watch"))


def _postflow(command: str, *arguments: str | Path) -> None:
    err.print(f"[dim]$ postflow {command} {' '.join(Path(a).name for a in arguments)}[/dim]")
    code = subprocess.call([sys.executable, "-m", "postflow", command, *map(str, arguments)])
    if code:
        raise typer.Exit(code)


def _drop_clip(folder: Path) -> Path:
    from sandbox.clips import clip_path

    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(clip_path(), folder / CLIP))


def _show(world: Sandbox, seconds: float) -> None:
    (asset,) = world.assets()
    out.rule("[green]Delivered[/green]")
    for label, value in (
        ("Folder", asset["path"].rpartition("/")[0]),
        ("File", f"{asset['name']}, {asset['size']:,} bytes, sha256 {asset['sha256'][:12]}…"),
        ("Frame.io", asset["view_url"]),
        ("Discord", _title(world.messages())),
        ("Time", f"{seconds:.0f} s, Prefect's start included"),
    ):
        out.print(f"{label:>9}  {value}", markup=False)


def _title(messages: list[dict[str, Any]]) -> str:
    """The title as Discord shows it: without the backslashes that keep names from being markup."""
    return f"“{messages[-1]['embeds'][0]['title']}”".replace("\\", "") if messages else "silent"


def _stay(world_url: str, prefect_url: str) -> None:
    out.print(f"  Sandbox  {world_url}/", markup=False)
    out.print(f"  Prefect  {prefect_url}/runs", markup=False)
    err.print("Ctrl-C ends it all.")
    threading.Event().wait()
