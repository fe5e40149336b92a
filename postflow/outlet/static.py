"""An address of the studio's own: a domain, reverse proxy or port forward that leads here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, SecretStr

from postflow.models import Moment

from .loopback import FixedTunnel


def _base_url(url: SecretStr) -> SecretStr:
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a public address starts with https:// or http:// and names a host")
    if parts.query or parts.fragment:
        raise ValueError("a public address has no '?' and no '#'")
    return SecretStr(url.get_secret_value().rstrip("/"))


PublicUrl = Annotated[SecretStr, AfterValidator(_base_url)]


class StaticProvider(Moment):
    """Trusts that `base_url` leads to the local server; the probe finds out."""

    model_config = ConfigDict(hide_input_in_errors=True)

    base_url: PublicUrl

    @asynccontextmanager
    async def open(self, local_url: str) -> AsyncIterator[FixedTunnel]:
        yield FixedTunnel(self.base_url)
