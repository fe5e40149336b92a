"""A Prefect server of our own, as a child process."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from postflow.errors import Fatal
from postflow.state import API, locked, password

from .engine import QUIET
from .supervisor import Part

SERVER = "postflow.service.prefect_server"
HOST = "127.0.0.1"
START_LIMIT = 180.0
# In memory, a server that restarts forgets who holds the one slot of `ingest`, and never frees it.
LEASES_ON_DISK = "prefect.server.concurrency.lease_storage.filesystem"
# One transaction for many events, not one for each. Whole seconds: Prefect makes an int of them.
WRITERS = ("TASK_RUN_RECORDER", "EVENT_PERSISTER")
FEW_WRITES = {
    f"PREFECT_SERVER_SERVICES_{writer}_{setting}": value
    for writer in WRITERS
    for setting, value in {
        "READ_BATCH_SIZE": "50",
        "BATCH_SIZE": "200",
        "FLUSH_INTERVAL": "1",
    }.items()
}

# Of the clock's runs, those of the next minutes: a dozen that wait say nothing to who looks.
FEW_AHEAD = {
    "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_RUNS": "1",
    "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME": "PT2M",
}
# Runs, their logs and artifacts, and events, which nobody would remove otherwise. Seconds.
A_MONTH = str(30 * 86_400)
KEPT_FOR_A_MONTH = {
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": A_MONTH,
}


@contextmanager
def own_prefect(port: int, log_path: Path, *options: str) -> Iterator[Part]:
    """Start a server that keeps its database in Prefect's home; yields its process. Port 0 is any.

    The processes we start later are pointed at the server, and told its password,
    through the environment. Raises Fatal `prefect.port` or `prefect.server`.
    """
    from postflow.blocks.server import set_environment

    with _listening(port) as listener:
        port = listener.getsockname()[1]
        url = ui_address(port)
        set_environment({API: f"{url}/api", **locked(password())})
        try:
            server = Part(
                "Prefect server",
                *(SERVER, "--fd", str(listener.fileno()), *options),
                log_path=log_path,
                environment=KEPT_FOR_A_MONTH | os.environ | QUIET | _server_settings(url, port),
                pass_fds=[listener.fileno()],
            )
            with server.running():
                _wait_until_healthy(server.process, f"{url}/api/health", log_path)
                yield server
        finally:
            os.environ.pop(API)


def ui_address(port: int) -> str:
    return f"http://{HOST}:{port}"


def _server_settings(url: str, port: int) -> dict[str, str]:
    return (
        FEW_WRITES
        | FEW_AHEAD
        | {
            "PREFECT_SERVER_API_HOST": HOST,
            "PREFECT_SERVER_API_PORT": str(port),
            "PREFECT_SERVER_UI_API_URL": f"{url}/api",
            "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"{url},http://localhost:{port}",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES_ON_DISK,
        }
    )


def _listening(port: int) -> socket.socket:
    """Held for as long as we live: nobody else takes the port while the server starts anew."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise Fatal(
            f"Prefect's server cannot listen on port {port} ({os.strerror(error.errno or 0)}).",
            hint=f"If your Prefect server does, set PREFECT_API_URL=http://{HOST}:{port}/api; "
            "else choose another --port.",
            code="prefect.port",
        ) from error


def _wait_until_healthy(server: psutil.Popen, url: str, log_path: Path) -> None:
    deadline = time.monotonic() + START_LIMIT
    with httpx.Client(timeout=2.0) as client:
        while server.poll() is None and time.monotonic() < deadline:
            if _is_healthy(client, url):
                return
            time.sleep(0.1)
    raise Fatal(
        "Prefect's server did not start.",
        hint=f"Its log says why: {log_path}",
        code="prefect.server",
    )


def _is_healthy(client: httpx.Client, url: str) -> bool:
    """Does a server answer there? `url` is the address of its health check."""
    try:
        return client.get(url).is_success
    except httpx.TransportError:
        return False
