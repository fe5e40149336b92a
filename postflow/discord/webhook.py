"""A webhook's URL is its key: it stays out of request objects, logs and errors.

httpx logs each request's URL, and its errors carry the request. So the client above only ever sees
`https://discord/webhook…`, and the transport puts the real address in its place on the way out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Self

import httpx
from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from postflow.errors import Fatal
from postflow.http import is_private, proxy_for
from postflow.models import FrozenModel

STAND_IN = "https://discord/webhook"

_PATH = re.compile(r"/api/(?:v[0-9]{1,2}/)?webhooks/[0-9]{1,20}/[A-Za-z0-9._-]{1,200}")


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
    if not is_private(url) or not _PATH.fullmatch(url.path.rstrip("/")):
        raise _invalid()
    return url


def _invalid() -> Fatal:
    return Fatal(
        "The Discord webhook's address is not one of a webhook.",
        hint="Copy it anew in Discord (channel settings, Integrations, Webhooks, Copy URL); it "
        "looks like https://discord.com/api/webhooks/<id>/<token>.",
        code="discord.webhook_invalid",
    )


FIELDS = ("sequence", "shot", "version", "file", "project", "day")
LONGEST_NAME = 100
OTHERS = "PostFlow"

_FIELD = re.compile(r"\{([^{}]*)\}")


def _number(given: str) -> str:
    if not re.fullmatch(r"[0-9]{1,20}", given):
        raise ValueError("an id is a number, as Discord's developer mode copies it")
    return given


Id = Annotated[str, AfterValidator(_number)]


# A sentence of roles has room in a message's 2,000 characters.
MOST_ROLES = 50


class Routes(FrozenModel):
    """Where messages go, and whom they notify.

    `thread_id`: all to that thread. `thread_name`: to the forum's post of that name, which may hold
    fields of the clip, as `{sequence} {shot}`, and which opens with `tags`. `threads`: before both,
    threads that there are, by sequence. `roles`: by sequence too, whom a ready clip notifies.
    """

    thread_id: Id | None = None
    thread_name: str | None = Field(default=None, min_length=1, max_length=LONGEST_NAME)
    threads: dict[str, Id] = Field(default_factory=dict)
    tags: tuple[Id, ...] = Field(default=(), max_length=5)
    roles: dict[str, Id] = Field(default_factory=dict)

    @field_validator("thread_name")
    @classmethod
    def _has_known_fields(cls, name: str | None) -> str | None:
        unknown = [field for field in _FIELD.findall(name or "") if field not in FIELDS]
        if unknown:
            raise ValueError(f"there is no field {{{unknown[0]}}}; there are {', '.join(FIELDS)}")
        return name

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if self.thread_id and self.thread_name:
            raise ValueError("thread_id or thread_name, not both")
        return self

    def new_thread(self, about: Mapping[str, str]) -> str | None:
        """The name of the thread for a message, where it has none by id; OTHERS for one that is
        about no clip.
        """
        if self.thread_name is None or self.known_thread(about):
            return None
        if not set(_FIELD.findall(self.thread_name)) <= about.keys():
            return OTHERS
        named = _FIELD.sub(lambda field: about[field[1]], self.thread_name)
        seen = "".join(char if char.isprintable() else " " for char in named)
        return " ".join(seen.split())[:LONGEST_NAME] or OTHERS

    def known_thread(self, about: Mapping[str, str]) -> str | None:
        """The id of the thread that is set up for a message."""
        return _of_sequence(self.threads, about) or self.thread_id

    def roles_of(self, sequences: Sequence[str]) -> list[str]:
        """Each once, as many as a message may mention."""
        found = (_of_sequence(self.roles, {"sequence": each}) for each in sequences)
        return list(dict.fromkeys(filter(None, found)))[:MOST_ROLES]


def _of_sequence(table: Mapping[str, str], about: Mapping[str, str]) -> str | None:
    named = about.get("sequence", "").casefold()
    return next((value for name, value in table.items() if name.casefold() == named), None)
