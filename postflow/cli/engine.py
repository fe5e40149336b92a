"""Prefect as the command line uses it: quiet, and imported only when needed."""

from __future__ import annotations

import os

QUIET = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLI_PROMPT": "false",
    "DO_NOT_TRACK": "1",
}


def prepare_prefect(*, verbose: bool = False) -> None:
    """Set Prefect up through its environment; has to come before its first import."""
    for variable, value in QUIET.items():
        if not (verbose and variable.endswith("CONSOLE_LEVEL")):
            os.environ.setdefault(variable, value)
