"""The executable that a program takes for ngrok."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from . import settings


def write_wrapper(
    path: Path,
    *,
    authtoken: str | None,
    control_url: str | None = None,
    faults: Iterable[Mapping[str, Any]] = (),
    version: str = settings.RECENT_VERSION,
) -> Path:
    """Write an executable `path` that runs the stand-in, and return it.

    `authtoken`: the only one it accepts (None: any). `control_url`: a sandbox whose armed faults
    it asks for. `faults`: armed from the start, as `{"what": "agent_refuse", "code": 105}`.
    Agents of wrappers in one directory share their reserved domains, as those of one account.
    """
    values = {
        settings.AUTHTOKEN: authtoken,
        settings.CONTROL_URL: control_url,
        settings.FAULTS: json.dumps([dict(fault) for fault in faults]),
        settings.DOMAINS: str(path.parent / "domains"),
        settings.VERSION: version,
    }
    exports = [f"export {k}={shlex.quote(v)}" for k, v in values.items() if v is not None]
    command = f'exec {shlex.quote(sys.executable)} -P -m postflow.sandbox.ngrok_agent "$@"'
    path.touch(mode=0o700)
    path.write_text("\n".join(["#!/bin/sh", *exports, command, ""]), encoding="utf-8")
    path.chmod(0o700)
    return path
