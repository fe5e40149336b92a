"""A Prefect server of our own, as a child process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from postflow.errors import Fatal

from .engine import QUIET

START_LIMIT = 180.0
STOP_LIMIT = 15.0


@contextmanager
def prefect_server(home: Path, port: int) -> Iterator[str]:
    """Start a server that keeps its database in `home`; yields the UI's address.

    This process's Prefect is pointed at it through its environment, so nothing of Prefect may be
    imported before. Raises Fatal when it does not come up.
    """
    home.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{port}"
    environment = os.environ | QUIET | {"PREFECT_HOME": str(home), "PREFECT_API_URL": f"{url}/api"}
    environment["PREFECT_SERVER_UI_API_URL"] = f"{url}/api"
    log_path = home / "server.log"
    with log_path.open("wb") as log:
        command = [sys.executable, "-m", "prefect", "server", "start"]
        server = psutil.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_healthy(server, f"{url}/api/health", log_path)
        os.environ["PREFECT_HOME"] = str(home)
        os.environ["PREFECT_API_URL"] = f"{url}/api"
        yield url
    finally:
        stop(server)


def _wait_until_healthy(server: psutil.Popen, url: str, log_path: Path) -> None:
    deadline = time.monotonic() + START_LIMIT
    while server.is_running() and server.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=2.0).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise Fatal(
        "Prefect's server did not start.",
        hint=f"Its log says why: {log_path}",
        code="prefect.server",
    )


def stop(process: psutil.Popen) -> None:
    """End a child and all of its children: asked first, then made."""
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    process.terminate()
    _, alive = psutil.wait_procs(family, timeout=STOP_LIMIT)
    for survivor in alive:
        survivor.kill()
    psutil.wait_procs(alive, timeout=STOP_LIMIT)


def free_port() -> int:
    """A port of loopback that is free at this moment."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
