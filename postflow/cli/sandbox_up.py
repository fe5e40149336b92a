"""`postflow up` as a child, with the sandbox in the place of the world: for demo and benchmarks."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from postflow.errors import Fatal
from postflow.service.supervisor import Part

from .sandbox_studio import as_toml, sandbox_studio

STOP_LIMIT = 90.0


def cleared(home: Path) -> Path:
    """`home` with an empty watch folder: the sandbox begins empty each time, and so do we."""
    for folder, mode in (("watch", 0o777), ("state", 0o700)):
        shutil.rmtree(home / folder, ignore_errors=True)
        home.mkdir(parents=True, exist_ok=True)
        (home / folder).mkdir(mode)
    return home


@contextmanager
def sandbox_up(
    world: dict[str, Any], home: Path, port: int, *, watching: dict[str, float]
) -> Iterator[psutil.Popen]:
    """What a person would type. Ready when it says that it watches; `home` holds its things.

    `world`: what the sandbox says of itself.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    environment |= {
        "POSTFLOW_STATE_DIR": str(home / "state"),
        "PREFECT_HOME": str(home / "prefect"),
    }
    file = str(_studio_file(world, home, watching))
    command = ("postflow", "up", "--port", str(port), "--file", file)
    log_path = home / "up.log"
    part = Part("up", *command, log_path=log_path, environment=environment, limit=STOP_LIMIT)
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


def _studio_file(world: dict[str, Any], home: Path, watching: dict[str, float]) -> Path:
    tables = sandbox_studio(world)
    tables["studio.watching"] = watching | {"folders": [str(home / "watch")]}
    path = home / "studio.toml"
    path.touch(mode=0o600)
    path.write_text(as_toml(tables), encoding="utf-8")
    return path
