"""A webhook's URL is its key: it stays out of request objects, logs and errors.

httpx logs each request's URL, and its errors carry the request. So the client above only ever sees
`https://discord/webhook…`, and the transport puts the real address in its place on the way out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Self

import httpx
from pydantic import Field, SecretStr, field_validator, model_validator

from postflow.errors import Fatal
from postflow.models import FrozenModel
from postflow.proxies import proxy_for

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
        self._transport = transport or httpx.AsyncHTTPTransport(proxy=proxy_for(url))

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


FIELDS = ("sequence", "shot", "version", "file", "project")
LONGEST_NAME = 100
OTHERS = "PostFlow"

_FIELD = re.compile(r"\{([^{}]*)\}")


class Thread(FrozenModel):
    """A thread by its id, or by a name, which may hold fields of the clip: `{sequence} {shot}`."""

    id: str | None = None
    name: str | None = Field(default=None, min_length=1, max_length=LONGEST_NAME)

    @field_validator("id")
    @classmethod
    def _is_a_number(cls, thread_id: str | None) -> str | None:
        if thread_id and not re.fullmatch(r"[0-9]{1,20}", thread_id):
            raise ValueError("a thread's id is a number, as Discord's “Copy Thread ID” gives it")
        return thread_id

    @field_validator("name")
    @classmethod
    def _has_known_fields(cls, name: str | None) -> str | None:
        unknown = [field for field in _FIELD.findall(name or "") if field not in FIELDS]
        if unknown:
            raise ValueError(f"there is no field {{{unknown[0]}}}; there are {', '.join(FIELDS)}")
        return name

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if self.id and self.name:
            raise ValueError("thread_id or thread_name, not both")
        return self

    def named(self, about: Mapping[str, str]) -> str | None:
        """The name of the thread for a message; one that is about no clip goes to OTHERS."""
        if self.name is None:
            return None
        if not set(_FIELD.findall(self.name)) <= about.keys():
            return OTHERS
        named = _FIELD.sub(lambda field: about[field[1]], self.name)
        seen = "".join(char if char.isprintable() else " " for char in named)
        return " ".join(seen.split())[:LONGEST_NAME] or OTHERS

    def query(self) -> dict[str, Any]:
        return {"thread_id": self.id} if self.id else {}
