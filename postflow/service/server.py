"""The Prefect server that a command works with: one that is configured, that of `up`, or the one
that commands share.

Prefect is imported only when needed, after its environment has been set.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import getproxies

from postflow.errors import Fatal
from postflow.importing import importing
from postflow.language import N_
from postflow.servers import API, locked, password
from postflow.state import state_dir

from .console import Warnings, waiting

if TYPE_CHECKING:
    import psutil

    from .supervisor import Part

QUIET = {
    "PYTHONSAFEPATH": "1",  # what Prefect starts for us imports nothing of the working directory
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLI_PROMPT": "false",
    "DO_NOT_TRACK": "1",
}
# Runs end with their runner, which gives up at the third question: each is asked anew for four
# minutes of a server that is away, or whose database is.
ENDURING = {"PREFECT_CLIENT_MAX_RETRIES": "7", "PREFECT_CLIENT_RETRY_EXTRA_CODES": "500,504"}
# They warn of every short command that they are not empty yet, and empty themselves at its end.
PREFECT_QUEUES = ("EventsWorker", "APILogWorker")
# Started by `python -m`.
SERVER = "postflow.service.prefect_server"
HOST = "127.0.0.1"
PROXIES = ("http://", "https://", "socks5://", "socks5h://")
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
# Runs, their logs and artifacts, which nobody would remove otherwise. Seconds.
A_MONTH = str(30 * 86_400)
UNLESS_TOLD = {
    # Automations hear events all the same. Kept, they would be two thirds of what a clip takes in
    # the database, for one page of the UI.
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": A_MONTH,
}


def prepare_prefect(
    *, verbose: bool = False, alone: bool = True, patient: bool = False, enduring: bool = False
) -> None:
    """Set Prefect up through its environment; has to come before its first import.

    While `postflow up` runs a server of its own, that one is used. Where there is none, a command
    that works `alone` starts one, which stays for the next. What only asks is not `patient` with
    one that is busy; what runs others is `enduring` with one that is away.
    """
    _set_up(verbose, patient, enduring)
    _demand_address(os.environ.get(API))
    _demand_known_proxies()
    state_dir()  # what is wrong with it is told before anything is waited for
    with waiting(N_("Starting Prefect")), importing():
        from .shared_server import find_or_start, is_surely_needed

        if alone and is_surely_needed():  # Prefect, slow to import, is imported meanwhile
            find_or_start()
        from prefect.settings import PREFECT_API_URL

        from postflow.blocks.base import find_prefect

        find_prefect(shared=alone)  # it has no services, which those need that stay
        if alone and not PREFECT_API_URL.value():
            find_or_start()


def _set_up(verbose: bool, patient: bool, enduring: bool) -> None:
    for variable, value in (QUIET | ENDURING if enduring else QUIET).items():
        if not (verbose and variable.endswith("CONSOLE_LEVEL")):
            os.environ.setdefault(variable, value)
    if not (verbose or patient):
        os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "2")  # 6 s, not a minute a question
    logger = logging.getLogger("postflow")
    if not verbose and not any(isinstance(handler, Warnings) for handler in logger.handlers):
        logger.addHandler(Warnings())
    for queue in PREFECT_QUEUES:
        logging.getLogger(queue).setLevel(logging.ERROR)


def _demand_known_proxies() -> None:
    for name in ("http", "https", "all"):
        proxy = getproxies().get(name, "")
        if "://" in proxy and not proxy.lower().startswith(PROXIES):
            raise Fatal(
                f"{name.upper()}_PROXY names a proxy of a kind that PostFlow cannot speak with.",
                hint=f"It begins with one of {', '.join(PROXIES)}",
                code="postflow.proxy",
            )


def _demand_address(url: str | None) -> None:
    """What is no address of an API finds no studio there, which would be told as missing."""
    if url and not (url.startswith(("http://", "https://")) and "/api" in url):
        raise Fatal(
            "PREFECT_API_URL is no address of a Prefect server's API.",
            hint="It looks like http://127.0.0.1:4200/api, with the /api.",
            code="prefect.address",
        )


def demand_server() -> None:
    """Raises Fatal `prefect.none` where none is configured: one that Prefect starts for a single
    command hears nothing of the others.
    """
    from prefect.settings import PREFECT_API_URL

    if not PREFECT_API_URL.value():
        raise Fatal(
            "No Prefect server is configured.",
            hint="Set PREFECT_API_URL to the one that `watch` and `serve` share, or start "
            "`postflow up`, which runs its own.",
            code="prefect.none",
        )


@contextmanager
def starting_prefect(port: int, log_path: Path) -> Iterator[Part]:
    """Start a server that keeps its database in Prefect's home; yields its process, which may not
    answer yet.

    The processes we start later are pointed at the server, and told its password,
    through the environment. Raises Fatal `prefect.port`.
    """
    from postflow.blocks.base import set_environment

    from .supervisor import Part

    with listening(port) as listener:
        url = ui_address(port)
        set_environment({API: f"{url}/api", **locked(password())})
        try:
            server = Part(
                "Prefect server",
                (SERVER, "--fd", str(listener.fileno())),
                log_path=log_path,
                environment=server_environment(url, port),
                pass_fds=[listener.fileno()],
            )
            with server.running():
                yield server
        finally:
            os.environ.pop(API)


def ui_address(port: int) -> str:
    return f"http://{HOST}:{port}"


def server_environment(url: str, port: int) -> dict[str, str]:
    ours = {
        "PREFECT_SERVER_API_HOST": HOST,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_UI_API_URL": f"{url}/api",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"{url},http://localhost:{port}",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES_ON_DISK,
    }
    return UNLESS_TOLD | os.environ | QUIET | FEW_WRITES | FEW_AHEAD | ours


def listening(port: int) -> socket.socket:
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


def wait_until_healthy(
    server: psutil.Popen | subprocess.Popen[bytes], url: str, log_path: Path
) -> None:
    import httpx

    deadline = time.monotonic() + START_LIMIT
    with httpx.Client(base_url=url, timeout=2.0) as client:
        while server.poll() is None and time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                if client.get("/api/health").is_success:
                    return
            time.sleep(0.1)
    raise Fatal(
        "Prefect's server did not start.",
        hint=f"Its log says why: {log_path}",
        code="prefect.server",
    )
