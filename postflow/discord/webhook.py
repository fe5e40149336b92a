"""A webhook's URL is its key: it stays out of request objects, logs and errors.

httpx logs each request's URL, and its errors carry the request. So the client above only ever sees
`https://discord/webhook…`, and the transport puts the real address in its place on the way out.
"""

from __future__ import annotations

import re
from urllib.request import getproxies, proxy_bypass

import httpx
from pydantic import SecretStr

from postflow.errors import Fatal

STAND_IN = "https://discord/webhook"

_PATH = re.compile(r"/api/(?:v[0-9]{1,2}/)?webhooks/[0-9]{1,20}/[A-Za-z0-9._-]{1,200}")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class HiddenWebhook(httpx.AsyncBaseTransport):
    """Sends to the webhook what is addressed to STAND_IN.

    Raises Fatal `discord.webhook_invalid`, and accepts plain HTTP on loopback only.
    """

    def __init__(
        self, webhook_url: SecretStr, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        url = _checked(webhook_url)
        self._webhook_url = webhook_url
        self._transport = transport or httpx.AsyncHTTPTransport(proxy=_proxy_for(url))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = self._address(request.url)
        headers = [item for item in request.headers.raw if item[0].lower() != b"host"]
        hidden = httpx.Request(
            request.method,
            url,
            headers=[*headers, (b"Host", url.netloc)],
            stream=request.stream,
            extensions=request.extensions,
        )
        return await self._transport.handle_async_request(hidden)

    async def aclose(self) -> None:
        await self._transport.aclose()

    def _address(self, stand_in: httpx.URL) -> httpx.URL:
        """The webhook's URL with the stand-in's further path and query; a `thread_id` stays."""
        real = httpx.URL(self._webhook_url.get_secret_value().strip())
        further = stand_in.path.removeprefix(httpx.URL(STAND_IN).path)
        return real.copy_with(path=real.path.rstrip("/") + further).copy_merge_params(
            stand_in.params
        )


def _checked(webhook_url: SecretStr) -> httpx.URL:
    try:
        url = httpx.URL(webhook_url.get_secret_value().strip())
    except httpx.InvalidURL:
        raise _invalid() from None
    safe = url.scheme == "https" or (url.scheme == "http" and url.host in _LOOPBACK)
    if not safe or not _PATH.fullmatch(url.path.rstrip("/")):
        raise _invalid()
    return url


def _invalid() -> Fatal:
    return Fatal(
        "The Discord webhook's address is not one of a webhook.",
        hint="Copy it anew in Discord (channel settings, Integrations, Webhooks, Copy URL); it "
        "looks like https://discord.com/api/webhooks/<id>/<token>.",
        code="discord.webhook_invalid",
    )


def _proxy_for(url: httpx.URL) -> str | None:
    """The proxy of the environment, which httpx leaves aside when it is given a transport."""
    proxies = getproxies()
    proxy = None if proxy_bypass(url.host) else proxies.get(url.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy
