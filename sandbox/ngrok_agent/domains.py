"""Reserved domains: each leads to one port, and one agent at a time may hold it."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path


class AlreadyOnline(Exception):
    """Another agent of the account holds the domain (ERR_NGROK_334)."""


class Domain:
    """A held domain. The hold ends with `release`, or with the process, however it dies."""

    def __init__(self, host: str, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(directory / f"{host}.port", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            os.close(self._handle)
            raise AlreadyOnline(host) from held

    @property
    def port(self) -> int:
        """The domain's port, chosen the first time it is asked for."""
        known = os.pread(self._handle, 16, 0)
        if known:
            return int(known)
        port = _free_port()
        os.pwrite(self._handle, str(port).encode(), 0)
        return port

    def release(self) -> None:
        os.close(self._handle)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
