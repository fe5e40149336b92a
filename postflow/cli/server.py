"""A Prefect server of our own, as a child process."""

from __future__ import annotations

import os
import socket
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

HOST = "127.0.0.1"
START_LIMIT = 180.0
STOP_LIMIT = 15.0
# In memory, a server that restarts forgets who holds the one slot of `ingest`, and never frees it.
LEASES_ON_DISK = "prefect.server.concurrency.lease_storage.filesystem"


@contextmanager
def prefect_server(port: int, log_path: Path, home: Path | None = None) -> Iterator[str]:
    """Start a server that keeps its database in `home`; yields the UI's address.

    Without `home` it is Prefect's own. The processes we start later are pointed at the server
    through the environment. Raises Fatal `prefect.port` or `prefect.server`.
    """
    _demand_free(port)
    url = f"http://{HOST}:{port}"
    if home:
        home.mkdir(parents=True, exist_ok=True)
        os.environ["PREFECT_HOME"] = str(home)
    os.environ["PREFECT_API_URL"] = f"{url}/api"
    with log_path.open("wb") as log:
        server = psutil.Popen(
            [sys.executable, "-m", "prefect", "server", "start"],
            env=os.environ | QUIET | _server_settings(url, port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_healthy(server, f"{url}/api/health", log_path)
        yield url
    finally:
        stop(server)
        os.environ.pop("PREFECT_API_URL")


def _server_settings(url: str, port: int) -> dict[str, str]:
    return {
        "PREFECT_SERVER_API_HOST": HOST,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_UI_API_URL": f"{url}/api",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES_ON_DISK,
    }


def _demand_free(port: int) -> None:
    """Another server's answers would be taken for our own's."""
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)):
            return
    raise Fatal(
        f"Something listens on port {port} already.",
        hint=f"If it is your Prefect server, set PREFECT_API_URL=http://{HOST}:{port}/api; "
        "else choose another --port.",
        code="prefect.port",
    )


def _wait_until_healthy(server: psutil.Popen, url: str, log_path: Path) -> None:
    deadline = time.monotonic() + START_LIMIT
    while server.poll() is None and time.monotonic() < deadline:
        if is_healthy(url):
            return
        time.sleep(0.1)
    raise Fatal(
        "Prefect's server did not start.",
        hint=f"Its log says why: {log_path}",
        code="prefect.server",
    )


def is_healthy(url: str) -> bool:
    """Does a server answer there? `url` is the address of its health check."""
    try:
        return httpx.get(url, timeout=2.0).is_success
    except httpx.TransportError:
        return False


def stop(process: psutil.Popen, *, limit: float = STOP_LIMIT) -> None:
    """End a child and all of its children: asked first, then made after `limit` seconds."""
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    process.terminate()
    _, alive = psutil.wait_procs(family, timeout=limit)
    for survivor in alive:
        survivor.kill()
    psutil.wait_procs(alive, timeout=STOP_LIMIT)


def free_port() -> int:
    """A port of loopback that is free at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
