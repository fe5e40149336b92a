"""What a tunnel is."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from pydantic import SecretStr


class Tunnel(Protocol):
    """A public address for a server on loopback."""

    @property
    def public_url(self) -> SecretStr:
        """Where the local server's root is reached from outside, without a trailing slash."""
        ...

    async def check(self) -> None:
        """Return while the address leads to us; raise Retry when it is dead or another one,
        Fatal when a person has to act first."""
        ...

    async def close(self) -> None:
        """Give the address up. The second call does nothing."""
        ...


class TunnelProvider(Protocol):
    """The settings of one kind of tunnel."""

    def open(self, local_url: str) -> AbstractAsyncContextManager[Tunnel]:
        """Lead a public address to `local_url` until the block is left."""
        ...
