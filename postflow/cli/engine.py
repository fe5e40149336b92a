"""Prefect as the command line uses it: quiet, and imported only when needed."""

from __future__ import annotations

import logging
import os

from postflow.errors import Fatal

from .output import Warnings, err

QUIET = {
    "PYTHONSAFEPATH": "1",  # what Prefect starts for us imports nothing of the working directory
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLI_PROMPT": "false",
    "DO_NOT_TRACK": "1",
}
# They warn of every short command that they are not empty yet, and empty themselves at its end.
PREFECT_QUEUES = ("EventsWorker", "APILogWorker")


def prepare_prefect(*, verbose: bool = False) -> None:
    """Set Prefect up through its environment; has to come before its first import.

    While `postflow up` runs a server of its own, that one is used.
    """
    for variable, value in QUIET.items():
        if not (verbose and variable.endswith("CONSOLE_LEVEL")):
            os.environ.setdefault(variable, value)
    logger = logging.getLogger("postflow")
    if not verbose and not any(isinstance(handler, Warnings) for handler in logger.handlers):
        logger.addHandler(Warnings())
    for queue in PREFECT_QUEUES:
        logging.getLogger(queue).setLevel(logging.ERROR)
    _demand_address(os.environ.get("PREFECT_API_URL"))
    from blocks.server import find_prefect

    find_prefect()
    if not verbose:
        tell_start()


def _demand_address(url: str | None) -> None:
    """What is no address of an API finds no studio there, which would be told as missing."""
    if url and not (url.startswith(("http://", "https://")) and "/api" in url):
        raise Fatal(
            "PREFECT_API_URL is no address of a Prefect server's API.",
            hint="It looks like http://127.0.0.1:4200/api, with the /api.",
            code="prefect.address",
        )


def tell_start() -> None:
    """Where no server is configured, Prefect takes half a minute to start one for the command.

    It says so itself where it may log.
    """
    from prefect.settings import PREFECT_API_URL

    if not PREFECT_API_URL.value():
        err.print("Starting Prefect …")


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
