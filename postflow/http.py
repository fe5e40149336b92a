"""What our clients of httpx share: which calls never left, which addresses may be told a secret,
and the proxy for bare transports.

A client of httpx finds the environment's proxy by itself; a transport of its own, which keeps an
address that is a secret out of the client's log lines and errors, has to be told.
"""

from __future__ import annotations

import ssl
from functools import cache
from ipaddress import ip_address
from typing import Annotated
from urllib.request import getproxies, proxy_bypass

import httpx
from pydantic import AfterValidator

# Of an HTTP call that never left this machine, and may be repeated whatever it asks for.
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


def is_private(url: httpx.URL) -> bool:
    """HTTPS, or this machine: nobody on the way reads along."""
    if url.scheme != "http":
        return url.scheme == "https"
    try:
        return ip_address(url.host).is_loopback
    except ValueError:
        return url.host == "localhost"


def demand_private(address: str) -> str:
    """Never quotes the address, which may be a secret."""
    try:
        is_one = bool((url := httpx.URL(address)).host) and is_private(url)
    except httpx.InvalidURL:
        is_one = False
    if not is_one:
        raise ValueError("it begins with https://, since secrets go there")
    return address


PrivateAddress = Annotated[str, AfterValidator(demand_private)]


def proxy_for(url: httpx.URL) -> str | None:
    proxies = getproxies()
    proxy = None if proxy_bypass(url.host) else proxies.get(url.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


@cache
def certificates() -> ssl.SSLContext:
    """The certificates that httpx trusts, read once: that takes some 30 ms of CPU."""
    return httpx.create_ssl_context()
