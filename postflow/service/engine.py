"""Prefect as the command line uses it: quiet, and imported only when needed."""

from __future__ import annotations

import atexit
import logging
import os
from contextlib import ExitStack

from postflow.errors import Fatal
from postflow.state import state_dir

from .console import Warnings, err

QUIET = {
    "PYTHONSAFEPATH": "1",  # what Prefect starts for us imports nothing of the working directory
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLI_PROMPT": "false",
    "DO_NOT_TRACK": "1",
}
# They warn of every short command that they are not empty yet, and empty themselves at its end.
PREFECT_QUEUES = ("EventsWorker", "APILogWorker")


def prepare_prefect(*, verbose: bool = False, alone: bool = True, patient: bool = False) -> None:
    """Set Prefect up through its environment; has to come before its first import.

    While `postflow up` runs a server of its own, that one is used. Where there is none, one is
    started for a command that works `alone`. What only asks is not `patient` with one that is busy.
    """
    for variable, value in QUIET.items():
        if not (verbose and variable.endswith("CONSOLE_LEVEL")):
            os.environ.setdefault(variable, value)
    if not (verbose or patient):
        os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "2")  # 6 s, not a minute a question
    logger = logging.getLogger("postflow")
    if not verbose and not any(isinstance(handler, Warnings) for handler in logger.handlers):
        logger.addHandler(Warnings())
    for queue in PREFECT_QUEUES:
        logging.getLogger(queue).setLevel(logging.ERROR)
    _demand_address(os.environ.get("PREFECT_API_URL"))
    from postflow.blocks.server import find_prefect

    find_prefect()
    if alone:
        _start_one_if_none()


def _demand_address(url: str | None) -> None:
    """What is no address of an API finds no studio there, which would be told as missing."""
    if url and not (url.startswith(("http://", "https://")) and "/api" in url):
        raise Fatal(
            "PREFECT_API_URL is no address of a Prefect server's API.",
            hint="It looks like http://127.0.0.1:4200/api, with the /api.",
            code="prefect.address",
        )


def _start_one_if_none() -> None:
    """For this command, until it ends. Of the one that Prefect would start, every user of the
    machine reads the port in the process list, and can take it before it listens.
    """
    from prefect.settings import PREFECT_API_URL

    from .server import own_prefect

    if PREFECT_API_URL.value():
        return
    err.print("Starting Prefect …")
    logs = state_dir() / "command"
    logs.mkdir(exist_ok=True, mode=0o700)
    server = ExitStack()
    atexit.register(server.close)  # after Prefect's queues have emptied themselves
    server.enter_context(own_prefect(0, logs / "server.log", "--brief"))


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
