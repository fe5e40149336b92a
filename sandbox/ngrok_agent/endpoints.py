"""The endpoints of one agent, and what it says when it may not open another."""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from . import logfmt
from .edge import Edge
from .session import AT_CONNECT, Session, wording

KNOWN_OPTIONS = frozenset(
    ["name", "url", "upstream", "inspect", "traffic_policy", "pooling_enabled", "bindings"]
)
ACCOUNT_LIMIT = 3


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


class Refused(Exception):
    """`number` is the agent's own error number, not ngrok's code."""

    def __init__(self, status: int, number: int, message: str, detail: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {
            "error_code": number,
            "status_code": status,
            "msg": message,
            "details": {"err": detail},
        }


def not_started(code: int, url: str = "") -> Refused:
    return Refused(502, 103, "failed to start tunnel", wording(code, url=url))


def invalid(detail: str) -> Refused:
    return Refused(400, 102, "invalid tunnel configuration", detail)


@dataclass(frozen=True)
class Endpoint:
    id: str
    name: str
    upstream: str
    edge: Edge
    domain: Domain | None
    inspect: bool

    @property
    def url(self) -> str:
        return self.edge.url

    def as_tunnel(self, room: str) -> dict[str, Any]:
        """How `/api/tunnels` shows it, and `/api/endpoints` in the answer to a POST."""
        return {
            "ID": self.id,
            "name": self.name,
            "uri": f"/api/{room}/{quote(self.name, safe='')}",
            "public_url": self.url,
            "proto": urlsplit(self.url).scheme,
            "config": {"addr": self.upstream, "inspect": self.inspect},
            "metrics": {"conns": {"count": 0}, "http": {"count": 0}},
        }

    def as_endpoint(self) -> dict[str, Any]:
        """How `/api/endpoints` lists it."""
        return {
            "name": self.name,
            "uri": f"/api/endpoints/{quote(self.name, safe='')}",
            "url": self.url,
            "upstream": {"url": self.upstream},
            "inspect": self.inspect,
            "traffic_policy": "",
            "pooling_enabled": False,
            "metrics": {"conns": {"count": 0}, "http": {"count": 0}},
        }


class Endpoints:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._open: dict[str, Endpoint] = {}

    def all(self) -> list[Endpoint]:
        return list(self._open.values())

    def get(self, name: str) -> Endpoint | None:
        return self._open.get(name)

    async def add(self, options: Mapping[str, Any]) -> Endpoint:
        """Open one from a POST's body (shape of `/api/endpoints`). Raises Refused."""
        name, upstream = self._checked(options)
        domain = self._domain(str(options.get("url") or ""))
        edge = self._session.edge(upstream)
        await _open(edge, domain)
        endpoint = Endpoint(
            id=secrets.token_hex(16),
            name=name,
            upstream=upstream,
            edge=edge,
            domain=domain,
            inspect=bool(options.get("inspect", True)),
        )
        self._open[name] = endpoint
        logfmt.info("started tunnel", obj="tunnels", name=name, addr=upstream, url=endpoint.url)
        await self._session.dawdle()
        return endpoint

    async def remove(self, name: str) -> bool:
        endpoint = self._open.pop(name, None)
        if endpoint is None:
            return False
        await endpoint.edge.close()
        if endpoint.domain is not None:
            endpoint.domain.release()
        return True

    async def remove_all(self) -> None:
        for endpoint in self.all():
            await self.remove(endpoint.name)

    def _checked(self, options: Mapping[str, Any]) -> tuple[str, str]:
        if not self._session.online:
            raise Refused(
                503, 104, "ngrok is not yet ready to start tunnels", "a session is needed"
            )
        if (code := self._session.refusal(AT_CONNECT)) is not None:
            raise not_started(code, str(options.get("url") or ""))
        if unknown := set(options) - KNOWN_OPTIONS:
            raise invalid(f"unknown fields: {', '.join(sorted(unknown))}")
        name, upstream = options.get("name"), (options.get("upstream") or {}).get("url")
        if not name or not upstream:
            raise invalid("'name' and 'upstream.url' are required")
        if name in self._open:
            raise invalid(f"an endpoint named '{name}' already exists")
        if len(self._open) >= ACCOUNT_LIMIT:
            raise not_started(324)
        return str(name), str(upstream)

    def _domain(self, url: str) -> Domain | None:
        host = urlsplit(url).hostname
        if host is None:
            return None
        if self._session.domains is None:
            raise not_started(15002, url)
        try:
            return Domain(host, self._session.domains)
        except AlreadyOnline as online:
            raise not_started(334, url) from online


async def _open(edge: Edge, domain: Domain | None) -> None:
    try:
        await edge.open(domain.port if domain else 0)
    except OSError as taken:
        if domain is not None:
            domain.release()
        raise not_started(334) from taken
