"""What Discord's answers mean for us.

Codes: https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
Rate limits: https://discord.com/developers/docs/topics/rate-limits
"""

from __future__ import annotations

import math
from typing import Any

import httpx

from postflow.errors import Fatal, Retry

from .text import shortened

UNKNOWN_MESSAGE = 10008
LONGEST_WAIT = 3600.0
_LEAST_WAIT = 0.05


class MessageGoneError(Exception):
    """The message to edit was deleted."""


def check_answer(response: httpx.Response) -> dict[str, Any]:
    """The answer's JSON object. Raises Retry, Fatal or MessageGoneError unless it is a success."""
    body = _json(response)
    if response.is_success:
        return body
    if response.status_code == 429:
        raise _rate_limited(response, body)
    if response.status_code >= 500:
        raise unavailable(f"Discord answered {response.status_code}")
    if response.status_code == 404 and body.get("code") == UNKNOWN_MESSAGE:
        raise MessageGoneError
    if response.status_code in {401, 403, 404}:
        raise _webhook_gone(response.status_code)
    raise _refused(response.status_code, body)


def unavailable(what: str) -> Retry:
    return Retry(
        f"{what}.",
        hint="Nothing to do: the clip is not affected, and the message is tried again later.",
        code="discord.unavailable",
    )


def outcome_unknown(what: str) -> Retry:
    """A message may be in the channel or not, and a webhook cannot look."""
    return Retry(
        f"{what} while a message was being posted, which may have appeared or not.",
        hint="Look into the Discord channel; the clip itself is not affected.",
        code="discord.unknown_outcome",
    )


def _rate_limited(response: httpx.Response, body: dict[str, Any]) -> Retry:
    wait = _wait(response, body)
    return Retry(
        f"Discord asks to wait {wait:.1f} s before the next message.",
        hint="Nothing to do: the message follows. If this lasts, post to fewer webhooks at once.",
        code="discord.rate_limited",
        retry_after=wait,
    )


def _wait(response: httpx.Response, body: dict[str, Any]) -> float:
    """Seconds, by the most exact of what body and headers name; a second where none does."""
    named = [
        body.get("retry_after"),
        response.headers.get("x-ratelimit-reset-after"),
        response.headers.get("retry-after"),
    ]
    seconds = (number for value in named if (number := _number(value)) is not None)
    return min(next(seconds, 1.0), LONGEST_WAIT)


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return max(number, _LEAST_WAIT) if math.isfinite(number) else None


def _webhook_gone(status: int) -> Fatal:
    return Fatal(
        f"Discord does not know the webhook any more (it answered {status}).",
        hint="Make a new webhook in Discord (channel settings, Integrations, Webhooks) and put its "
        "address into PostFlow with `postflow setup`.",
        code="discord.webhook_gone",
    )


def _refused(status: int, body: dict[str, Any]) -> Fatal:
    said = shortened(str(body.get("errors") or body.get("message") or "no reason given"), 300)
    return Fatal(
        f"Discord refused the message ({status}): {said}.",
        hint="This is a fault of PostFlow's message, not of the clip: please report it.",
        code="discord.refused",
    )


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
