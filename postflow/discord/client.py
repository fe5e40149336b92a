"""Posting and editing messages through a webhook, within Discord's limits."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
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
from postflow.http import NEVER_SENT
from postflow.language import N_

from .card import PICTURE, Card
from .errors import (
    ARCHIVED,
    EMPTY_MESSAGE,
    UNAVAILABLE,
    UNKNOWN_CHANNEL,
    UNKNOWN_OUTCOME,
    RefusedError,
    check_answer,
)
from .webhook import STAND_IN, HiddenWebhook, Routes

logger = logging.getLogger(__name__)

TIMEOUT = httpx.Timeout(15.0, connect=10.0)
LONGEST_ATTEMPT = 30.0
REPEATED = frozenset({"discord.rate_limited", "discord.unavailable"})

_backoff = wait_random_exponential(multiplier=0.5, max=10)


class DiscordClient:
    """One webhook, open while the `async with` lasts. One call is tried again for `timeout`
    seconds at most.

    Raises Fatal `discord.webhook_invalid` for a URL that is none of a webhook.
    """

    def __init__(
        self,
        webhook_url: SecretStr,
        *,
        routes: Routes | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: float = 10.0,
    ) -> None:
        self._http = httpx.AsyncClient(
            transport=HiddenWebhook(webhook_url, transport), timeout=TIMEOUT
        )
        self._webhook_url = webhook_url
        self._timeout = timeout
        self.routes = routes or Routes()

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    def leads_to(self, webhook_url: SecretStr) -> bool:
        """Whether its messages go where that webhook's go."""
        return self._webhook_url == webhook_url

    async def post(
        self, card: Card, picture: bytes | None = None, *, thread_id: str | None = None
    ) -> str:
        """The new message's id, behind that of its thread where it is in one.

        `picture`: a JPEG to show; the message goes without where Discord does not take it.
        `thread_id`: of the thread that was opened under the name that the card's would have.
        Retry `discord.unknown_outcome` means the message may have appeared: posting again may
        show it twice, and a webhook offers no way to look. Raises Fatal or Retry else.
        """
        place = self.routes.known_thread(card.about) or thread_id
        try:
            return await self._post(card, place, picture)
        except RefusedError as refused:
            is_gone = thread_id is not None and refused.number == UNKNOWN_CHANNEL
            if not is_gone or place != thread_id:
                raise refused.error from None
        logger.info("A Discord thread is gone: a new one of its name takes its place.")
        return await self.post(card, picture)

    async def edit(
        self,
        message_id: str,
        card: Card,
        picture: bytes | None = None,
        *,
        thread_id: str | None = None,
    ) -> str:
        """The message's id: the same, or a new one where it could not be edited any more.

        It shows `picture` from now on, and no other. It notifies nobody. `thread_id`: as for
        `post`, where a new one has to be posted.
        """
        thread, _, number = message_id.rpartition("/")
        if not number.isdecimal() or not (thread.isdecimal() or number == message_id):
            raise Fatal(
                "The Discord message to edit has no proper id.",
                hint="Post a new message in its place.",
                code="discord.refused",
            )
        query = {"thread_id": thread} if thread else {}
        try:
            await self._show("PATCH", f"/messages/{number}", card.payload, query, picture)
        except RefusedError as refused:
            if not refused.is_gone:
                raise refused.error from None
            logger.info("A Discord message cannot be edited any more: a new one takes its place.")
            is_archived = thread and refused.number == ARCHIVED  # whoever posts opens it again
            return await self.post(card, picture, thread_id=thread if is_archived else thread_id)
        return message_id

    async def check(self) -> str:
        """The webhook's name, if a message would find its place. Nothing appears in the channel.

        What only a message tells, such as that the channel is a forum, an empty one is asked for:
        Discord always refuses it. Raises Fatal or Retry as `post` does.
        """
        try:
            answer = await self._request("GET", "", None)
            await self._check_threads()
            await self._request("POST", "", self._opening({}), self._query({}))
        except RefusedError as refused:
            if refused.number != EMPTY_MESSAGE:
                raise refused.error from None
        return str(answer.get("name") or "without a name")

    def _opening(self, about: dict[str, str]) -> dict[str, Any]:
        """What opens a thread with a message."""
        name = self.routes.new_thread(about)
        return {"thread_name": name, "applied_tags": list(self.routes.tags)} if name else {}

    def _query(self, about: dict[str, str]) -> dict[str, str]:
        known = self.routes.known_thread(about)
        return {"thread_id": known} if known else {}

    async def _check_threads(self) -> None:
        """A thread that is gone is told apart from a message in it that is not ours."""
        routes = self.routes
        for each in {*routes.threads.values(), *([routes.thread_id] if routes.thread_id else [])}:
            try:
                await self._request("GET", f"/messages/{each}", None, {"thread_id": each})
            except RefusedError as refused:
                if refused.number == UNKNOWN_CHANNEL:
                    raise

    async def _post(self, card: Card, thread: str | None, picture: bytes | None) -> str:
        def payload(*, pictured: bool = False) -> dict[str, Any]:
            return (
                card.payload(pictured=pictured, roles=self.routes.roles_of(card.called)) | opening
            )

        opening = {} if thread else self._opening(card.about)
        query = {"wait": "true"} | ({"thread_id": thread} if thread else {})
        answer = await self._show("POST", "", payload, query, picture)
        if not answer.get("id"):
            raise UNKNOWN_OUTCOME(what=N_("Discord gave no message id"))
        place = answer.get("channel_id") if opening else thread
        return f"{place}/{answer['id']}" if place else str(answer["id"])

    async def _show(
        self,
        method: str,
        path: str,
        payload: Callable[..., dict[str, Any]],
        query: dict[str, str],
        picture: bytes | None,
    ) -> dict[str, Any]:
        """What Discord may refuse because of the picture is sent once more without it."""
        params = {"with_components": "true", **query}
        if picture is not None:
            try:
                return await self._request(method, path, payload(pictured=True), params, picture)
            except RefusedError as refused:
                if refused.error.code != "discord.refused":
                    raise
                logger.info("Discord does not take a picture: %s", refused.error)
        return await self._request(method, path, payload(), params)

    async def _request(
        self,
        method: str,
        path: str,
        payload: dict[str, Any] | None,
        params: dict[str, str] | None = None,
        picture: bytes | None = None,
    ) -> dict[str, Any]:
        attempts = AsyncRetrying(
            retry=retry_if_exception(_worth_repeating),
            wait=_wait,
            stop=stop_before_delay(self._timeout),
            before_sleep=_log_retry,
            reraise=True,
        )
        return await attempts(self._attempt, method, path, params, _body(payload, picture))

    async def _attempt(
        self,
        method: str,
        path: str,
        params: dict[str, str] | None,
        body: dict[str, Any],
    ) -> dict[str, Any]:
        posting = method == "POST"
        try:
            async with asyncio.timeout(LONGEST_ATTEMPT):
                response = await self._http.request(method, STAND_IN + path, params=params, **body)
        except NEVER_SENT as error:
            raise UNAVAILABLE(
                what=N_("Discord cannot be reached ({kind})", kind=type(error).__name__)
            ) from error
        except (httpx.HTTPError, TimeoutError) as error:
            what = N_("Discord's answer was lost ({kind})", kind=type(error).__name__)
            raise UNKNOWN_OUTCOME(what=what) if posting else UNAVAILABLE(what=what) from error
        if posting and response.status_code >= 500:
            raise UNKNOWN_OUTCOME(what=N_("Discord answered {status}", status=response.status_code))
        return check_answer(response)


def _body(payload: dict[str, Any] | None, picture: bytes | None) -> dict[str, Any]:
    """JSON, or multipart with a file: https://discord.com/developers/docs/reference#uploading-files"""
    if picture is None:
        return {"json": payload}
    files = {"files[0]": (PICTURE, picture, "image/jpeg")}
    return {"data": {"payload_json": json.dumps(payload)}, "files": files}


def _worth_repeating(error: BaseException) -> bool:
    return isinstance(error, Retry) and error.code in REPEATED


def _wait(state: RetryCallState) -> float:
    """What Discord asks for, and nothing shorter; else a growing, random time."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, Retry) else None
    return _backoff(state) if asked is None else asked


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    message = error.message if isinstance(error, Retry) else "Discord did not answer."
    logger.info("%s Trying again in %.1f s.", message, state.upcoming_sleep)
