"""What all of our blocks have in common, and which Prefect server they are on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any, Self

from prefect.context import refresh_global_settings_context
from prefect.settings import PREFECT_API_URL
from pydantic import HttpUrl, SecretStr

from postflow.servers import API, CLIENT_PASSWORD, locked, our_server, passing_password, password

ICONS = "https://cdn.jsdelivr.net/npm/simple-icons@9.21.0/icons"
# The server that Prefect starts for a single script is nobody else's either.
EPHEMERAL = {
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": "http://127.0.0.1",
}


def find_prefect(*, shared: bool = True) -> None:
    """Let Prefect use the server of ours that runs: of `up`, or the one that commands share.

    Else, where none is configured, Prefect will start one of its own, with a password that is
    good for nothing else: another user may take its port before it listens.
    Raises Fatal `postflow.state_dir`.
    """
    if os.environ.get(API) and os.environ.get(CLIENT_PASSWORD):
        return
    if address := our_server(shared=shared):
        set_environment({API: address, CLIENT_PASSWORD: password()})
    elif not PREFECT_API_URL.value():
        set_environment({**EPHEMERAL, **os.environ, **locked(passing_password())})


def set_environment(environment: Mapping[str, str]) -> None:
    """Set variables of this process and those it starts; Prefect reads its settings anew."""
    os.environ.update(environment)
    refresh_global_settings_context()


class StudioPart:
    """A block that is loaded from the server of `postflow up` while that runs.

    Its schema is built once a process: Prefect asks for it some twenty times a save.
    """

    @classmethod
    async def aload(cls, *args: Any, **options: Any) -> Self:
        find_prefect()
        return await super().aload(*args, **options)  # type: ignore[misc, no-any-return]

    @classmethod
    def load(cls, *args: Any, **options: Any) -> Self:
        find_prefect()
        return super().load(*args, **options)  # type: ignore[misc, no-any-return]

    @classmethod
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
        return dict(cls._built_schema(*args, **options))  # what it holds is read only

    @classmethod
    @cache
    def _built_schema(cls, *args: Any, **options: Any) -> Any:
        return super().model_json_schema(*args, **options)  # type: ignore[misc]


def icon(name: str) -> HttpUrl:
    """A logo for Prefect's UI, which fetches it by itself."""
    return HttpUrl(f"{ICONS}/{name}.svg")


def part_name(studio: str, part: str) -> str:
    """What a studio's block is called: its type alone would not say which is which."""
    return f"{studio}-{part}"


def secret_from_environment(variable: str) -> SecretStr | None:
    """The variable's value, which wins over the block's; None when unset or empty."""
    value = os.environ.get(variable)
    return SecretStr(value) if value else None
