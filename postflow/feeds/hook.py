"""Each event as JSON, signed as https://www.standardwebhooks.com asks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from postflow.errors import Fatal, Retry, Skip
from postflow.http import demand_private, proxy_for
from postflow.ledger.feeds import Event

TIMEOUT = httpx.Timeout(15.0)
PREFIX = "whsec_"
# Seconds in which a signed call is believed.
LONGEST_WAY = 300
# About this event, and not about the address.
CONTENT_REFUSED = frozenset({400, 413, 422})
PASSING = frozenset({408, 425, 429})


class Hook(BaseModel):
    """Where programs are told of each delivery and failure. The address is a secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: SecretStr = Field(description="An https:// address that takes JSON by POST.")
    secret: SecretStr = Field(
        min_length=16,
        description="What each call is signed with: any text of 16 characters, or whsec_ and "
        "Base64, as standardwebhooks.com has it.",
    )

    @field_validator("url")
    @classmethod
    def _is_safe(cls, url: SecretStr) -> SecretStr:
        demand_private(url.get_secret_value())
        return url

    @field_validator("secret")
    @classmethod
    def _is_a_key(cls, secret: SecretStr) -> SecretStr:
        key_of(secret)
        return secret

    @property
    def name(self) -> str:
        return "hook"

    @property
    def kind(self) -> str:
        return "JSON"

    async def test(self, studio: str) -> None:
        now = datetime.now(UTC)
        await self.send(Event(id=f"test-{now.timestamp():.0f}", kind="test", at=now, studio=studio))

    def takes(self, event: Event) -> bool:
        return True

    async def send(self, event: Event) -> None:
        """Raises Retry `hook.unreachable` or `hook.away`, Fatal `hook.refused`, and Skip
        `hook.not_taken` where only this event is refused.
        """
        body = event.model_dump_json(exclude_none=True).encode()
        url = httpx.URL(self.url.get_secret_value())
        request = httpx.Request(
            "POST",
            url,
            content=body,
            headers={"content-type": "application/json", **self.signed(event.id, body)},
            extensions={"timeout": TIMEOUT.as_dict()},
        )
        try:
            # No client: that would write the address into a log.
            async with httpx.AsyncHTTPTransport(proxy=proxy_for(url)) as transport:
                response = await transport.handle_async_request(request)
                await response.aclose()
        except httpx.TransportError as error:
            raise Retry(
                f"The studio's hook cannot be reached ({type(error).__name__}).",
                hint="See whether its program runs. What happened meanwhile is told then, in "
                "order.",
                code="hook.unreachable",
            ) from None
        if not response.is_success:
            raise _refusal(response.status_code)

    def signed(self, event_id: str, body: bytes, at: int | None = None) -> dict[str, str]:
        """The headers by which a receiver knows that the body is ours, and from now."""
        stamp = str(at or int(time.time()))
        text = b".".join((event_id.encode(), stamp.encode(), body))
        digest = hmac.digest(key_of(self.secret), text, hashlib.sha256)
        return {
            "webhook-id": event_id,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }


def read_event(secret: str, headers: Mapping[str, str], body: bytes) -> Event:
    """What a hook was told, for programs of your own. Raises ValueError where it is not ours, or
    was signed more than five minutes ago.
    """
    hook = Hook(url=SecretStr("https://localhost"), secret=SecretStr(secret))
    event_id, at = headers.get("webhook-id", ""), int(headers.get("webhook-timestamp", "0"))
    signed = hook.signed(event_id, body, at)["webhook-signature"].encode()
    given = headers.get("webhook-signature", "").encode()
    if not hmac.compare_digest(signed, given) or abs(time.time() - at) > LONGEST_WAY:
        raise ValueError("this was not signed by our PostFlow just now")
    return Event.model_validate_json(body)


def key_of(secret: SecretStr) -> bytes:
    """Raises ValueError."""
    text = secret.get_secret_value()
    if text.startswith(PREFIX):
        return base64.b64decode(text.removeprefix(PREFIX), validate=True)
    return text.encode()


def _refusal(status: int) -> Fatal | Retry | Skip:
    if status in CONTENT_REFUSED:
        return Skip(
            f"The studio's hook refuses what it was told ({status}).",
            hint="See the log of its program. It is told of what comes next.",
            code="hook.not_taken",
        )
    if status >= 500 or status in PASSING:
        return Retry(
            f"The studio's hook answers {status}.",
            hint="See the log of its program. It is told again.",
            code="hook.away",
        )
    return Fatal(
        f"The studio's hook answers {status}.",
        hint="Mend the address in [studio.hook]; what happened meanwhile is told then, in order.",
        code="hook.refused",
    )
