"""What the wrapper script tells the agent through its environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AUTHTOKEN = "NGROK_STANDIN_AUTHTOKEN"
CONTROL_URL = "NGROK_STANDIN_CONTROL_URL"
FAULTS = "NGROK_STANDIN_FAULTS"
DOMAINS = "NGROK_STANDIN_DOMAINS"
VERSION = "NGROK_STANDIN_VERSION"

RECENT_VERSION = "3.39.10"


@dataclass(frozen=True)
class Settings:
    """`authtoken`: the only one accepted; None accepts all. `faults`: armed from the start."""

    authtoken: str | None = None
    control_url: str | None = None
    faults: tuple[Mapping[str, Any], ...] = ()
    domains: Path | None = None
    version: str = RECENT_VERSION

    @property
    def knows_endpoints(self) -> bool:
        """`/api/endpoints` came with agent 3.30.0."""
        major, minor = self.version.split(".")[:2]
        return (int(major), int(minor)) >= (3, 30)


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    domains = environment.get(DOMAINS)
    return Settings(
        authtoken=environment.get(AUTHTOKEN),
        control_url=environment.get(CONTROL_URL),
        faults=tuple(json.loads(environment.get(FAULTS, "[]"))),
        domains=Path(domains) if domains else None,
        version=environment.get(VERSION, RECENT_VERSION),
    )
