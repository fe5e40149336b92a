"""The agent's configuration file, and the address of its local API."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # PyYAML comes with pyngrok, without types

DEFAULT_PORT = 4040


@dataclass(frozen=True)
class Configuration:
    authtoken: str | None = None
    web_addr: str | None = None


def read(path: Path | None) -> Configuration:
    """Read version 2 (flat) or 3 (under `agent:`). Raises ValueError with ngrok's complaint."""
    if path is None:
        return Configuration()
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or "version" not in content:
        raise ValueError(
            f"Error reading configuration file '{path}': 'version' property is required"
        )
    agent: dict[str, Any] = content
    if str(content["version"]) == "3":
        agent = content.get("agent") or {}
    return Configuration(agent.get("authtoken"), agent.get("web_addr"))


def listen(web_addr: str | None) -> socket.socket:
    """Bind the local API: where told, or else on 4040 or the next free port. Raises OSError."""
    if web_addr is not None:
        host, _, wanted = web_addr.rpartition(":")
        return _bound(host or "127.0.0.1", int(wanted))
    for port in range(DEFAULT_PORT, DEFAULT_PORT + 100):
        try:
            return _bound("127.0.0.1", port)
        except OSError as problem:
            if problem.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, "bind: address already in use")


def _bound(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener
