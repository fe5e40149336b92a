"""Which Prefect server the blocks are on: that of `postflow up` while it runs."""

from __future__ import annotations

import os
from collections.abc import Mapping

from prefect.context import refresh_global_settings_context
from prefect.settings import PREFECT_API_URL

from postflow.state import (
    API,
    CLIENT_PASSWORD,
    is_ours,
    locked,
    passing_password,
    password,
    told_address,
)

# The server that Prefect starts for a single script is nobody else's either.
EPHEMERAL = {
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": "http://127.0.0.1",
}


def find_prefect() -> None:
    """Let Prefect use the server of `up` while that runs.

    Else, where none is configured, Prefect will start one of its own, with a password that is
    good for nothing else: another user may take its port before it listens.
    Raises Fatal `postflow.state_dir`.
    """
    given, address = os.environ.get(API), told_address()
    if given and os.environ.get(CLIENT_PASSWORD):
        return
    if address and given in (None, "", address) and is_ours(address):
        set_environment({API: address, CLIENT_PASSWORD: password()})
    elif not PREFECT_API_URL.value():
        set_environment({**EPHEMERAL, **os.environ, **locked(passing_password())})


def set_environment(environment: Mapping[str, str]) -> None:
    """Of this process and those it starts; Prefect, which has read it before, reads it anew."""
    os.environ.update(environment)
    refresh_global_settings_context()
