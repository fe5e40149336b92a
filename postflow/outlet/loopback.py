"""No tunnel at all: for the sandbox, tests, and a Frame.io stand-in on this machine."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from postflow.models import Moment


@dataclass(frozen=True)
class FixedTunnel:
    """An address that is not ours to open, watch or close."""

    public_url: SecretStr

    async def check(self) -> None:
        """Nothing of ours can fail here; the probe and the transfer itself tell."""

    async def close(self) -> None:
        """Nothing of ours is open."""


class LoopbackProvider(Moment):
    """Hands out the local address itself."""

    @asynccontextmanager
    async def open(self, local_url: str) -> AsyncIterator[FixedTunnel]:
        yield FixedTunnel(SecretStr(local_url.rstrip("/")))


def free_port() -> int:
    """A port of loopback that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
