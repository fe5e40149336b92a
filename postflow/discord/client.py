"""Posting and editing messages through a webhook, within Discord's limits."""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import SecretStr
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_before_delay,
    wait_random_exponential,
)

from postflow.errors import Fatal, Retry

from .answers import MessageGoneError, check_answer, outcome_unknown, unavailable
from .card import Card
from .webhook import STAND_IN, HiddenWebhook

logger = logging.getLogger(__name__)

TIMEOUT = httpx.Timeout(15.0, connect=10.0)
LONGEST_ATTEMPT = 30.0
REPEATED = frozenset({"discord.rate_limited", "discord.unavailable"})

_backoff = wait_random_exponential(multiplier=0.5, max=10)


class DiscordClient:
    """One webhook, open while the `async with` lasts. `patience` is the longest time in seconds
    that one call goes on trying.

    Raises Fatal `discord.webhook_invalid` for a URL that is none of a webhook.
    """

    def __init__(
        self,
        webhook_url: SecretStr,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        patience: float = 10.0,
    ) -> None:
        self._http = httpx.AsyncClient(
            transport=HiddenWebhook(webhook_url, transport), timeout=TIMEOUT
        )
        self._patience = patience

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def post(self, card: Card) -> str:
        """The new message's id. Raises Fatal or Retry.

        Retry `discord.unknown_outcome` means the message may have appeared: posting again may
        show it twice, and a webhook offers no way to look.
        """
        answer = await self._patiently("POST", "", card, params={"wait": "true"})
        if not answer.get("id"):
            raise outcome_unknown("Discord gave no message id")
        return str(answer["id"])

    async def edit(self, message_id: str, card: Card) -> str:
        """The message's id: the same, or a new one where the old message was deleted."""
        if not message_id.isdecimal():
            raise Fatal(
                "The Discord message to edit has no proper id.",
                hint="Post a new message in its place.",
                code="discord.refused",
            )
        try:
            await self._patiently("PATCH", f"/messages/{message_id}", card)
        except MessageGoneError:
            logger.info("The Discord message was deleted meanwhile; a new one takes its place.")
            return await self.post(card)
        return message_id

    async def check(self) -> str:
        """The webhook's name. Raises Fatal `discord.webhook_gone`, or Retry."""
        answer = await self._patiently("GET", "", None)
        return str(answer.get("name") or "without a name")

    async def _patiently(
        self, method: str, path: str, card: Card | None, params: dict[str, str] | None = None
    ) -> dict[str, Any]:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(_worth_repeating),
            wait=_wait,
            stop=stop_before_delay(self._patience),
            before_sleep=_say,
            reraise=True,
        ):
            with attempt:
                return await self._send(method, path, card, params)
        raise AssertionError("tenacity ends with an answer or an error")

    async def _send(
        self, method: str, path: str, card: Card | None, params: dict[str, str] | None
    ) -> dict[str, Any]:
        posting = method == "POST"
        try:
            async with asyncio.timeout(LONGEST_ATTEMPT):
                response = await self._http.request(
                    method, STAND_IN + path, params=params, json=card.payload() if card else None
                )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise unavailable(f"Discord cannot be reached ({type(error).__name__})") from error
        except (httpx.HTTPError, TimeoutError) as error:
            what = f"Discord's answer was lost ({type(error).__name__})"
            raise outcome_unknown(what) if posting else unavailable(what) from error
        if posting and response.status_code >= 500:
            raise outcome_unknown(f"Discord answered {response.status_code}")
        return check_answer(response)


def _worth_repeating(error: BaseException) -> bool:
    return isinstance(error, Retry) and error.code in REPEATED


def _wait(state: RetryCallState) -> float:
    """What Discord asks for, and nothing shorter; else a growing, random time."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, Retry) else None
    return _backoff(state) if asked is None else asked


def _say(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    message = error.message if isinstance(error, Retry) else "Discord did not answer."
    logger.info("%s Trying again in %.1f s.", message, state.upcoming_sleep)
