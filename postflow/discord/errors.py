"""What Discord's answers mean for us, and what a person can do about them.

Codes: https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
Rate limits: https://discord.com/developers/docs/topics/rate-limits
"""

from __future__ import annotations

import math
from typing import Any

import httpx

from postflow.errors import Fatal, PostFlowError, Refusal, Retry
from postflow.language import N_, shortened

LONGEST_WAIT = 3600.0
_LEAST_WAIT = 0.05

UNKNOWN_CHANNEL = 10003
UNKNOWN_MESSAGE = 10008
OTHER_AUTHOR = 50005
EMPTY_MESSAGE = 50006
ARCHIVED = 50083

# What Discord says of a message that is to be edited, and that another one may replace.
_GONE = {UNKNOWN_MESSAGE, OTHER_AUTHOR, UNKNOWN_CHANNEL, ARCHIVED}

# Slow mode, write limits, many edits of old messages, overload: it passes, whatever the status.
_PASSING = {20016, 20028, 20029, 30046, 40004, 40006, 40062, 110001, 130000}

# Who watches keeps the webhook that it was started with.
_AGAIN = N_("Then start `postflow up` anew, if it runs, and `postflow retry --messages`.")
_SETTINGS = N_("under [discord] of the studio file, and apply it with `postflow setup`.")

# Code, message and hint; `_AGAIN` follows each hint.
_Meaning = tuple[str, str, str]

_WEBHOOK_GONE: _Meaning = (
    "discord.webhook_gone",
    N_("Discord does not know the webhook any more"),
    N_(
        "Make a new webhook in Discord (channel settings, Integrations, Webhooks) and put its "
        "address into PostFlow with `postflow setup`."
    ),
)
_FORBIDDEN: _Meaning = (
    "discord.forbidden",
    N_("Discord does not let the webhook post there"),
    N_("Let an administrator look at the permissions of the channel and its thread."),
)
_MEANINGS: dict[tuple[int, ...], _Meaning] = {
    (10015, 50027): _WEBHOOK_GONE,
    (50001, 50013): _FORBIDDEN,
    (UNKNOWN_CHANNEL,): (
        "discord.thread_gone",
        N_("The thread or channel that messages go to does not exist in Discord any more"),
        N_(
            "Name another `thread_id` {settings} If the channel is gone, make a webhook in another."
        ),
    ),
    (ARCHIVED, 160005): (
        "discord.thread_closed",
        N_("The Discord thread is locked, so nothing can be posted there"),
        N_("Unlock it in Discord (the thread's menu), or name another `thread_id` {settings}"),
    ),
    (160006,): (
        "discord.too_many_threads",
        N_("The Discord server has as many open threads as it may have"),
        N_("Close some of them in Discord."),
    ),
    (220001,): (
        "discord.forum",
        N_("The webhook leads to a forum, where a message needs a thread to go to"),
        N_(
            "Set `thread_name` (a post for each shot, sequence or day) or `thread_id` (all in "
            "one) {settings}"
        ),
    ),
    (220002,): (
        "discord.two_threads",
        N_("The webhook's address names a thread, and `thread_name` asks for new ones"),
        N_("Leave out one of the two {settings}"),
    ),
    (220003,): (
        "discord.no_forum",
        N_("The webhook's channel is no forum, so messages cannot open threads there"),
        N_("Leave `thread_name` out, and name threads that there are by `threads` {settings}"),
    ),
    (40067,): (
        "discord.tag_required",
        N_("The Discord forum wants a tag on each post, and `tags` names none"),
        N_(
            "Set `tags`, switch off “Require people to select tags” in the forum, or set "
            "`thread_id` {settings}"
        ),
    ),
    (10087,): (
        "discord.tag_unknown",
        N_("The Discord forum has no tag of an id that `tags` names"),
        N_("Copy the tags' ids anew {settings}"),
    ),
    (200000, 200001, 240000): (
        "discord.moderated",
        N_("The server's moderation in Discord has blocked the message"),
        N_("Let a moderator allow PostFlow's messages (server settings, Safety Setup, AutoMod)."),
    ),
}
_BY_NUMBER = {number: meaning for numbers, meaning in _MEANINGS.items() for number in numbers}
_BY_STATUS = {401: _WEBHOOK_GONE, 404: _WEBHOOK_GONE, 403: _FORBIDDEN}


UNAVAILABLE = Refusal(
    Retry,
    "discord.unavailable",
    "{what}.",
    "Messages wait and are sent by themselves; no clip is affected. If it lasts, check "
    "the internet connection.",
)
# A message may be in the channel or not, and a webhook cannot look.
UNKNOWN_OUTCOME = Refusal(
    Retry,
    "discord.unknown_outcome",
    "{what} while a message was being posted, which may have appeared or not.",
    "Look into the Discord channel; where it is missing, `postflow retry --messages` "
    "sends it again. The clip itself is not affected.",
)
# No JSON, so it was not Discord's API that spoke.
BLOCKED = Refusal(
    Retry,
    "discord.blocked",
    "Something between here and Discord answered {status} in its place.",
    "Messages wait and are sent by themselves. If it lasts, let the proxy or firewall "
    "pass discord.com; a proxy that wants a password has it in HTTPS_PROXY.",
)
RATE_LIMITED = Refusal(
    Retry,
    "discord.rate_limited",
    "Discord asks to wait {seconds:.1f} s before the next message.",
    "Nothing to do: the message follows.",
)
REFUSED = Refusal(
    Fatal,
    "discord.refused",
    "Discord refused the message ({status}): {said}.",
    "This is a fault of PostFlow's message, not of the clip: please report it.",
)


class RefusedError(Exception):
    """Discord's answer was no. `number` is Discord's own code, 0 where it gave none."""

    def __init__(self, number: int, error: PostFlowError) -> None:
        super().__init__(error.message)
        self.number = number
        self.error = error

    @property
    def is_gone(self) -> bool:
        """Whether a message that was to be edited can be replaced by a new one."""
        return self.number in _GONE


def check_answer(response: httpx.Response) -> dict[str, Any]:
    """The answer's JSON object. Raises Retry, or RefusedError with what it means."""
    body = _json(response)
    if response.is_success:
        return body
    number = code if isinstance(code := body.get("code"), int) else 0
    if response.status_code == 429 or number in _PASSING:
        raise _rate_limited(response, body)
    if response.status_code >= 500:
        raise UNAVAILABLE(what=N_("Discord answered {status}", status=response.status_code))
    if not body and response.status_code in {401, 403, 404, 407}:
        raise BLOCKED(status=response.status_code)
    raise RefusedError(number, _refusal(response.status_code, number, body))


def _rate_limited(response: httpx.Response, body: dict[str, Any]) -> Retry:
    error = RATE_LIMITED(seconds=(wait := _wait(response, body)))
    error.retry_after = wait
    return error


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


def _refusal(status: int, number: int, body: dict[str, Any]) -> Fatal:
    if meaning := _BY_NUMBER.get(number) or _BY_STATUS.get(status):
        code, message, hint = meaning
        return Fatal(
            "{what} (it answered {status}, code {number}).",
            hint="{remedy} {again}",
            code=code,
            what=message,
            status=status,
            number=number,
            remedy=N_(hint, settings=_SETTINGS),
            again=_AGAIN,
        )
    reason = body.get("errors") or body.get("message")
    said = shortened(str(reason), 300) if reason else N_("no reason given")
    return REFUSED(status=status, said=said)


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
