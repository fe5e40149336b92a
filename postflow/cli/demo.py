"""`postflow demo`: clips find their own way, with the sandbox in the place of the world."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import psutil
import typer

from postflow.errors import Fatal
from postflow.places import state_dir

from .app import app
from .output import err, out
from .running import stoppable
from .sandbox_studio import as_toml, sandbox_studio
from .server import free_port, stop

if TYPE_CHECKING:
    from sandbox import Sandbox

EARLIER, OTHER = "SQ07_UNDLM_00152_v003.mov", "SQ07_UNDLM_00153_v001.mov"
FREE_ATOM = b"\0\0\0\x08free"
LIMIT = 120.0
STOP_LIMIT = 60.0


@app.command()
def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Stay up until Ctrl-C, to look around.")
    ] = False,
    home: Annotated[Path, typer.Option(help="Where the demo keeps its things.")] = Path(".demo"),
) -> None:
    """Drop three clips into a watched folder, and see them arrive in the sandbox."""
    from sandbox import Sandbox

    started = time.monotonic()
    home = _cleared(home.absolute())
    err.print("Starting the sandbox: Frame.io, Adobe, ngrok and Discord in miniature …")
    with stoppable(), Sandbox() as world:
        port = free_port()
        with _up(_studio_file(world, home), home, port) as up:
            _travel(world, home / "watch", up)
            _show(world, time.monotonic() - started)
            if keep:
                _stay(world.url, f"http://127.0.0.1:{port}")


def _cleared(home: Path) -> Path:
    """The sandbox begins empty each time, so nothing is remembered of the last time."""
    for folder in ("watch", "state"):
        shutil.rmtree(home / folder, ignore_errors=True)
    (home / "watch").mkdir(parents=True)
    os.environ["POSTFLOW_STATE_DIR"] = str(home / "state")
    os.environ["PREFECT_HOME"] = str(home / "prefect")
    os.environ.pop("PREFECT_API_URL", None)
    return home


def _studio_file(world: Sandbox, home: Path) -> Path:
    tables = sandbox_studio(world.describe())
    watching = {"folders": [str(home / "watch")], "quiet": 1.0, "interval": 1.0, "linger": 5.0}
    path = home / "studio.toml"
    path.touch(mode=0o600)
    path.write_text(as_toml(tables | {"studio.watching": watching}), encoding="utf-8")
    return path


@contextmanager
def _up(studio_file: Path, home: Path, port: int) -> Iterator[psutil.Popen]:
    """What a person would type; ready once it says that it watches."""
    arguments = ["up", "--file", str(studio_file), "--port", str(port)]
    err.print(f"[dim]$ postflow up --file {studio_file.name}[/dim]")
    log_path = state_dir() / "up.log"
    with log_path.open("wb") as log:
        command = [sys.executable, "-m", "postflow", *arguments]
        up = psutil.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait(lambda: "PostFlow watches" in log_path.read_text(encoding="utf-8"), up)
        yield up
    finally:
        err.print("Stopping …")
        stop(up, limit=STOP_LIMIT)


def _travel(world: Sandbox, folder: Path, up: psutil.Popen) -> None:
    """Two clips, one of them written slowly, and later a new export of the first."""
    from sandbox.clips import clip_path

    clip = clip_path().read_bytes()
    err.print(f"{EARLIER} is dropped into the watched folder …")
    _write(folder / EARLIER, [clip])
    part = len(clip) // 4 + 1
    err.print(f"{OTHER} is written slowly …")
    _write(folder / OTHER, [clip[at : at + part] for at in range(0, len(clip), part)], pause=0.7)
    _wait(lambda: _arrived(world) == 2, up)
    _write(new := folder / f".{EARLIER}", [clip, FREE_ATOM])
    err.print(f"{EARLIER} is exported again …")
    new.replace(folder / EARLIER)
    _wait(lambda: _arrived(world) == 3, up)


def _write(path: Path, parts: list[bytes], *, pause: float = 0.0) -> None:
    with path.open("wb", buffering=0) as file:
        for part in parts:
            file.write(part)
            time.sleep(pause)


def _arrived(world: Sandbox) -> int:
    """Clips that reviewers were told of as ready."""
    return sum("ready" in _title(message) for message in world.messages())


def _wait(is_done: Callable[[], bool], up: psutil.Popen) -> None:
    deadline = time.monotonic() + LIMIT
    while not is_done():
        if up.poll() is not None or time.monotonic() > deadline:
            raise Fatal(
                "The demo does not get on.",
                hint=f"The logs in {state_dir()} say why.",
                code="demo.stuck",
            )
        time.sleep(0.1)


def _show(world: Sandbox, seconds: float) -> None:
    out.rule("[green]Delivered[/green]")
    titles = [_title(message) for message in world.messages()]
    for asset, title in zip(world.assets(), titles, strict=True):
        place = f"version {asset['position']} on its stack" if asset["stack"] else "no stack"
        for label, value in (
            ("Folder", asset["path"].rpartition("/")[0]),
            ("File", f"{asset['name']}, {asset['size']:,} bytes, {place}"),
            ("Frame.io", asset["view_url"]),
            ("Discord", f"“{title}”"),
        ):
            out.print(f"{label:>9}  {value}", markup=False)
        out.print()
    out.print(f"     Time  {seconds:.0f} s, Prefect's start included", markup=False)


def _title(message: dict[str, Any]) -> str:
    """As Discord shows it: without the backslashes that keep names from being markup."""
    return str(message["embeds"][0]["title"]).replace("\\", "")


def _stay(world_url: str, prefect_url: str) -> None:
    out.print(f"  Sandbox  {world_url}/", markup=False)
    out.print(f"  Prefect  {prefect_url}/runs", markup=False)
    err.print("Ctrl-C ends it all.")
    threading.Event().wait()
