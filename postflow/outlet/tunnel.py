"""What a tunnel is, and which ones there are."""

from __future__ import annotations

import pkgutil
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, cast

from pydantic import SecretStr

from postflow.errors import Fatal

PROVIDERS = {
    "ngrok": "postflow.outlet.ngrok:NgrokProvider",
    "static": "postflow.outlet.static:StaticProvider",
    "loopback": "postflow.outlet.loopback:LoopbackProvider",
}


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


def provider(kind: str, **settings: Any) -> TunnelProvider:
    """The provider called `kind`, loaded only now, so that nobody pays for those not in use."""
    if kind not in PROVIDERS:
        raise Fatal(
            f"There is no tunnel of the kind '{kind}'.",
            hint=f"Choose one of: {', '.join(PROVIDERS)}.",
            code="tunnel.unknown",
        )
    return cast("TunnelProvider", pkgutil.resolve_name(PROVIDERS[kind])(**settings))
