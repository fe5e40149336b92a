"""What the outlet needs of a tunnel, and the two kinds that start no agent."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Protocol
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, SecretStr

from postflow.models import FrozenModel


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


class TunnelProvider(Protocol):
    """The settings of one kind of tunnel."""

    def open(self, local_url: str) -> AbstractAsyncContextManager[Tunnel]:
        """Lead a public address to `local_url` until the block is left."""
        ...


@dataclass(frozen=True)
class FixedTunnel:
    """An address that is not ours to open, watch or close."""

    public_url: SecretStr

    async def check(self) -> None:
        """Nothing of ours can fail here; the probe and the transfer itself tell."""


def free_port() -> int:
    """A port of loopback that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _base_url(url: SecretStr) -> SecretStr:
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a public address starts with https:// or http:// and names a host")
    if parts.query or parts.fragment:
        raise ValueError("a public address has no '?' and no '#'")
    return SecretStr(url.get_secret_value().rstrip("/"))


# For a field of a block: within a union Prefect would not see the secret, and save it masked.
MaybePublicUrl = Annotated[SecretStr | None, AfterValidator(lambda url: url and _base_url(url))]


class StaticProvider(FrozenModel):
    """Trusts that `base_url` leads to the local server, which the probe finds out; without one it
    hands out the local address itself.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    base_url: MaybePublicUrl = None

    @asynccontextmanager
    async def open(self, local_url: str) -> AsyncIterator[FixedTunnel]:
        yield FixedTunnel(self.base_url or SecretStr(local_url.rstrip("/")))
