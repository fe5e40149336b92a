"""The executable that a program takes for ngrok, and what it tells the agent."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterable, Mapping
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


def write_wrapper(
    path: Path,
    *,
    authtoken: str | None,
    control_url: str | None = None,
    faults: Iterable[Mapping[str, Any]] = (),
    version: str = RECENT_VERSION,
) -> Path:
    """Write an executable `path` that runs the stand-in, and return it.

    `authtoken`: the only one it accepts (None: any). `control_url`: a sandbox whose armed faults
    it asks for. `faults`: armed from the start, as `{"what": "agent_refuse", "code": 105}`.
    Agents of wrappers in one directory share their reserved domains, as those of one account.
    """
    values = {
        AUTHTOKEN: authtoken,
        CONTROL_URL: control_url,
        FAULTS: json.dumps([dict(fault) for fault in faults]),
        DOMAINS: str(path.parent / "domains"),
        VERSION: version,
    }
    exports = [f"export {k}={shlex.quote(v)}" for k, v in values.items() if v is not None]
    command = f'exec {shlex.quote(sys.executable)} -P -m postflow.sandbox.ngrok_agent "$@"'
    path.touch(mode=0o700)
    path.write_text("\n".join(["#!/bin/sh", *exports, command, ""]), encoding="utf-8")
    path.chmod(0o700)
    return path
