"""`postflow demo`: clips find their own way, with the sandbox in the place of the world."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postflow.errors import Fatal
from postflow.servers import PAGE
from postflow.service.console import err, out
from postflow.state import write_private

from .app import app, stoppable
from .sandbox import sandbox_studio

if TYPE_CHECKING:
    import psutil

    from postflow.sandbox import Sandbox


STOP_LIMIT = 90.0


def cleared(home: Path) -> Path:
    """`home` with an empty watch folder: the sandbox begins empty each time, and so do we, without
    the runs of the last time.
    """
    for folder, mode in (("watch", 0o777), ("state", 0o700), ("prefect", 0o700)):
        shutil.rmtree(home / folder, ignore_errors=True)
        home.mkdir(parents=True, exist_ok=True)
        (home / folder).mkdir(mode)
    return home


@contextmanager
def sandbox_up(
    world: dict[str, Any],
    home: Path,
    port: int,
    *,
    watching: dict[str, float],
    without_tunnel: bool = False,
) -> Iterator[psutil.Popen]:
    """What a person would type. Ready when it says that it watches; `home` holds its things.

    `world`: what the sandbox says of itself.
    """
    from postflow.service.supervisor import Part

    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    environment |= {
        "POSTFLOW_STATE_DIR": str(home / "state"),
        "PREFECT_HOME": str(home / "prefect"),
    }
    file = str(_studio_file(world, home, watching, without_tunnel=without_tunnel))
    command = ("postflow", "up", "--port", str(port), "--file", file)
    log_path = home / "up.log"
    part = Part("up", command, log_path, environment=environment, limit=STOP_LIMIT)
    with part.running():
        up = part.process
        wait_for(lambda: "PostFlow watches" in log_path.read_text(encoding="utf-8"), up, home)
        yield up


def wait_for(
    is_done: Callable[[], bool], up: psutil.Popen, home: Path, *, limit: float = 180.0
) -> None:
    """Raises Fatal `sandbox.stuck` after `limit` seconds, or when `up` has ended."""
    deadline = time.monotonic() + limit
    while not is_done():
        if up.poll() is not None or time.monotonic() > deadline:
            raise Fatal(
                "PostFlow does not get on with the sandbox.",
                hint=f"{home / 'up.log'} and the logs in {home / 'state'} say why.",
                code="sandbox.stuck",
            )
        time.sleep(0.05)


def _studio_file(
    world: dict[str, Any], home: Path, watching: dict[str, float], *, without_tunnel: bool
) -> Path:
    from postflow.service.studio_file import as_toml

    tables = sandbox_studio(world)
    if without_tunnel:
        del tables["tunnel"]
    tables["studio.watching"] = watching | {"folders": [str(home / "watch")]}
    path = home / "studio.toml"
    write_private(path, as_toml(tables))
    return path


WATCHING = {"quiet": 1.0, "interval": 1.0, "idle_timeout": 5.0}


@app.command()
def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Stay up until Ctrl-C, to look around.")
    ] = False,
    direct: Annotated[
        bool, typer.Option("--direct", help="Without a tunnel: the clips are sent directly.")
    ] = False,
    home: Annotated[Path, typer.Option(help="Where the demo keeps its things.")] = Path(".demo"),
) -> None:
    """Drop three clips into a watched folder, and see them arrive in the sandbox."""
    from postflow.outlet.tunnel import free_port
    from postflow.sandbox import Sandbox

    started = time.monotonic()
    home = cleared(home.absolute())
    err.print("Starting the sandbox: Frame.io, Adobe, ngrok and Discord in miniature …")
    with stoppable(), Sandbox() as world:
        port = free_port()
        err.print("[dim]$ postflow up --file studio.toml[/dim]")
        up_in_it = sandbox_up(
            world.describe(), home, port, watching=WATCHING, without_tunnel=direct
        )
        with up_in_it as up:
            _travel(world, home, up)
            _show(world, time.monotonic() - started)
            if keep:
                _stay(world.url, f"http://127.0.0.1:{port}", home / "state")
            err.print("Stopping …")
    if not keep:
        _say_what_is_next()


def _travel(world: Sandbox, home: Path, up: psutil.Popen) -> None:
    """Two clips, one of them written slowly, and later a new export of the first."""
    from postflow.sandbox.clips import clip_path, exported_again_path, other_clip_path

    folder, first, other = home / "watch", clip_path(), other_clip_path().read_bytes()
    err.print(f"{first.name} is dropped into the watched folder …")
    _write(folder / first.name, [first.read_bytes()])
    part = len(other) // 4 + 1
    err.print(f"{other_clip_path().name} is written slowly …")
    slowly = [other[at : at + part] for at in range(0, len(other), part)]
    _write(folder / other_clip_path().name, slowly, pause=0.7)
    wait_for(lambda: _arrived(world) == 2, up, home)
    _write(new := folder / f".{first.name}", [exported_again_path().read_bytes()])
    err.print(f"{first.name} is exported again …")
    new.replace(folder / first.name)
    wait_for(lambda: _arrived(world) == 3, up, home)


def _write(path: Path, parts: list[bytes], *, pause: float = 0.0) -> None:
    with path.open("wb", buffering=0) as file:
        for part in parts:
            file.write(part)
            time.sleep(pause)


def _arrived(world: Sandbox) -> int:
    """Clips that reviewers were told of as ready."""
    return sum("ready" in _title(message) for message in world.messages())


def _show(world: Sandbox, seconds: float) -> None:
    out.rule("[green]Delivered[/green]")
    titles = [_title(message) for message in world.messages()]
    for asset in world.assets():
        title = next(each for each in titles if _is_about(each, asset["name"]))
        titles.remove(title)
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


def _is_about(title: str, name: str) -> bool:
    """“SQ07 UNDLM_00152 v003 is ready for review” is about SQ07_UNDLM_00152_v003.mov."""
    return title.partition(" is ")[0].replace(" ", "_") == Path(name).stem


def _title(message: dict[str, Any]) -> str:
    """As Discord shows it: without the backslashes that keep names from being markup."""
    return str(message["embeds"][0]["title"]).replace("\\", "")


def _say_what_is_next() -> None:
    out.print(
        "\n     Next  postflow demo --keep: it stays up, to see the clips play and the runs in"
        " Prefect's UI (make demo KEEP=1)\n           postflow setup: your own studio",
        markup=False,
    )


def _stay(world_url: str, prefect_url: str, state: Path) -> None:
    out.print(f"    Clips  {(state / PAGE).read_text(encoding='utf-8')}", markup=False)
    out.print(f"  Sandbox  {world_url}/", markup=False)
    out.print(f"  Prefect  {prefect_url}/runs", markup=False)
    kept = state / "prefect-password"
    shown = kept.read_text(encoding="utf-8") if out.is_terminal else f"what {kept} holds"
    out.print(f" Password  {shown}", markup=False)
    err.print("Ctrl-C ends it all.")
    threading.Event().wait()
