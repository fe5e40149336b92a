"""A studio file whose world is the sandbox."""

from __future__ import annotations

import json
from typing import Any

HOW_TO_WATCH = """\
# Without the marks, and with a folder of yours, `postflow up` watches it:
# [studio.watching]
# folders = ["/path/to/exports"]
"""


def sandbox_studio(world: dict[str, Any], *, name: str = "main") -> dict[str, dict[str, Any]]:
    """The tables of a studio file, from what the sandbox says of itself."""
    return {
        "studio": {"name": name},
        "frameio": {"project": world["project_name"], "base_url": world["url"]},
        "adobe": {
            "kind": "service",
            "client_id": world["client_id"],
            "client_secret": world["client_secret"],
            "ims_url": world["url"],
        },
        "tunnel": {
            "provider": "ngrok",
            "ngrok_path": world["ngrok_path"],
            "authtoken": world["ngrok_authtoken"],
        },
        "discord": {"url": world["discord_webhook_url"]},
    }


def as_toml(tables: dict[str, dict[str, Any]]) -> str:
    """TOML of flat tables of strings and numbers; JSON's strings are TOML's too."""
    lines = []
    for table, values in tables.items():
        lines += [f"[{table}]", *(f"{key} = {json.dumps(v)}" for key, v in values.items()), ""]
    return "\n".join(lines)
