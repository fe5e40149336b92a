"""One call to Frame.io: paced, signed in, tried again where that is safe, refusals translated."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError
from tenacity import (
    AsyncRetrying,
    retry_if_exception,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
)
from tenacity.wait import wait_random_exponential

from postflow.errors import Retry
from postflow.frameio.auth.renewal import TokenSupply
from postflow.http import NEVER_SENT
from postflow.models import Folder, FrozenModel

from .endpoints import Endpoint
from .errors import BUSY, UNREACHABLE, UNREADABLE, UNSETTLED, refusal
from .models import One, Wire
from .pacing import Bucket, Pacing

logger = logging.getLogger(__name__)


class CallRetries(FrozenModel):
    """Times in seconds.

    `attempts` and `total` bound a call that meets network faults and 5xx; `refusals` one that meets
    429. After a POST without an answer we look after each of `looks` if it took effect, and send
    it `posts` times at most.
    """

    attempts: int = 5
    total: float = 120.0
    backoff: float = 0.5
    longest_backoff: float = 15.0
    refusals: int = 10
    looks: tuple[float, ...] = (1.0, 4.0)
    posts: int = 3


CALL_RETRIES = CallRetries()


_TRANSIENT = {408, 425}

M = TypeVar("M", bound=BaseModel)
W = TypeVar("W", bound=Wire)
Json = Mapping[str, Any]


class NotSent(Exception):
    """No connection: Frame.io never saw the call."""


class AnswerLost(Exception):
    """The call went out, and nobody knows what came of it. `status` is a 5xx, if there was one."""

    def __init__(self, status: int | None = None) -> None:
        super().__init__(status)
        self.status = status

    def failure(self, endpoint: Endpoint) -> Retry:
        if self.status is None:
            return UNREACHABLE(doing=endpoint.doing)
        return (UNREADABLE if self.status < 300 else BUSY)(doing=endpoint.doing)


class Throttled(Exception):
    """429: Frame.io did not do it, for now."""


@dataclass(frozen=True, slots=True)
class Call:
    """`ids` fill the endpoint's path. The body may hold a secret, so it is not in the repr.

    One that does not `wait` is given up at the first 429.
    """

    endpoint: Endpoint
    ids: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str | int] = field(default_factory=dict)
    body: Json | None = field(default=None, repr=False)
    waits: bool = True

    @property
    def path(self) -> str:
        # Ids come from settings too, and must not climb out of their place in the path.
        quoted = {key: quote(value, safe=":") for key, value in self.ids.items()}
        return self.endpoint.path.format(**quoted)

    @property
    def account_id(self) -> str:
        return self.ids.get("account_id", "")


Send = Callable[[Call, Bucket], Awaitable[httpx.Response]]


class Api:
    """Frame.io behind one connection pool. Knows calls, and nothing of what they are for."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        tokens: TokenSupply,
        pacing: Pacing,
        retries: CallRetries,
        *,
        timeout: float,
        gone: Callable[[str], None],
    ) -> None:
        """`gone` hears the id of each folder that Frame.io does not find."""
        self.retries = retries
        self._http = http
        self._tokens = tokens
        self.pacing = pacing
        self._timeout = timeout
        self._gone = gone
        self._clock_ahead: timedelta | None = None

    def server_time(self) -> datetime | None:
        """What Frame.io's clock shows, to about a second; None before its first answer."""
        return None if self._clock_ahead is None else datetime.now(UTC) + self._clock_ahead

    async def ask(self, call: Call, answer: type[M]) -> M:
        """A call that may be repeated (GET, PATCH, DELETE)."""
        try:
            return await self._attempts(NotSent, AnswerLost)(self._answer, call, answer)
        except NotSent as error:
            raise UNREACHABLE(doing=call.endpoint.doing) from error
        except AnswerLost as error:
            raise error.failure(call.endpoint) from error

    async def one(self, call: Call, answer: type[One[W]]) -> W:
        """The one thing that such a call is about."""
        return (await self.ask(call, answer)).data

    async def post_once(self, call: Call, answer: type[M]) -> M:
        """A call not to be repeated blindly. Raises `AnswerLost` where it may have been done."""
        try:
            return await self._attempts(NotSent)(self._answer, call, answer)
        except NotSent as error:
            raise UNREACHABLE(doing=call.endpoint.doing) from error

    async def look(self, call: Call) -> httpx.Response:
        """The answer as it is, also a refusal, for who wants to know what Frame.io does.

        A 5xx and a lost answer raise Retry, and are not tried again.
        """
        try:
            return await self._unthrottled(call, self._signed_in)
        except NotSent as error:
            raise UNREACHABLE(doing=call.endpoint.doing) from error
        except AnswerLost as error:
            raise error.failure(call.endpoint) from error

    async def create_once(
        self,
        call: Call,
        answer: type[One[W]],
        look: Callable[[], Awaitable[W | None]],
        *,
        took_effect: Callable[[], bool] = lambda: False,
    ) -> W:
        """POST, and where the answer is lost, `look` whether it was done before sending it again.

        `took_effect` may know it from elsewhere: once true, we look but never send again. Raises
        `Retry` with code frameio.unsettled where nothing can be found and no tries are left.
        """
        doing = call.endpoint.doing
        for attempt in range(1, self.retries.posts + 1):
            try:
                return (await self.post_once(call, answer)).data
            except AnswerLost:
                logger.info("Frame.io gave no answer when asked to %s; looking.", doing)
            for pause in self.retries.looks:
                await asyncio.sleep(pause)
                if (found := await look()) is not None:
                    return found
            if took_effect():
                break
            logger.info("Frame.io did not %s (attempt %d).", doing, attempt)
        raise UNSETTLED(doing=doing)

    def _attempts(self, *again: type[Exception]) -> AsyncRetrying:
        retries = self.retries
        return AsyncRetrying(
            stop=stop_after_attempt(retries.attempts) | stop_after_delay(retries.total),
            retry=retry_if_exception_type(again),
            wait=wait_random_exponential(retries.backoff, max=retries.longest_backoff),
            reraise=True,
        )

    async def _answer(self, call: Call, answer: type[M]) -> M:
        response = await self._unthrottled(call, self._granted)
        try:
            return answer.model_validate_json(response.content or b"{}")
        except ValidationError as error:  # a success we cannot read: it may be done or not
            raise AnswerLost(response.status_code) from error

    async def _unthrottled(self, call: Call, send: Send) -> httpx.Response:
        bucket = self.pacing.bucket(call.endpoint, call.account_id)
        retries = self.retries

        def is_over_soon(error: BaseException) -> bool:
            return isinstance(error, Throttled) and bucket.closed_for <= retries.total

        attempts = AsyncRetrying(
            stop=stop_after_attempt(retries.refusals if call.waits else 1)
            | stop_after_delay(retries.total),
            retry=retry_if_exception(is_over_soon),
            reraise=True,
        )
        try:
            return await attempts(send, call, bucket)
        except Throttled as error:
            busy = BUSY(doing=call.endpoint.doing)
            busy.retry_after = max(bucket.interval, bucket.closed_for)
            raise busy from error

    async def _signed_in(self, call: Call, bucket: Bucket) -> httpx.Response:
        """A 401 may only mean that the token has aged: one new token, one more try."""
        token = await self._tokens.token()
        response = await self._paced(call, bucket, token)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            token = await self._tokens.token(rejected=token)
            response = await self._paced(call, bucket, token)
        return response

    async def _granted(self, call: Call, bucket: Bucket) -> httpx.Response:
        response = await self._signed_in(call, bucket)
        if response.status_code == httpx.codes.NOT_FOUND and "folder_id" in call.ids:
            self._gone(call.ids["folder_id"])
        if not response.is_success:
            raise refusal(response, call.endpoint.doing)
        return response

    async def _paced(self, call: Call, bucket: Bucket, token: str) -> httpx.Response:
        if bucket.closed_for > self.retries.total:
            raise Throttled
        await bucket.slot()
        response = await self._send(call, token)
        bucket.learn(response.headers)
        if not response.is_success:
            bucket.close(response.headers)
        self._read_clock(response.headers.get("date", ""))
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            bucket.overflowed()
            raise Throttled
        if response.is_server_error or response.status_code in _TRANSIENT:
            raise AnswerLost(response.status_code)
        return response

    def _read_clock(self, date: str) -> None:
        with contextlib.suppress(ValueError, TypeError):
            self._clock_ahead = parsedate_to_datetime(date) - datetime.now(UTC)

    async def _send(self, call: Call, token: str) -> httpx.Response:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._http.request(
                    call.endpoint.method,
                    call.path,
                    params=dict(call.query),
                    json=call.body,
                    headers={"Authorization": f"Bearer {token}"},
                )
        except NEVER_SENT as error:
            raise NotSent from error
        except (httpx.RequestError, TimeoutError) as error:
            raise AnswerLost from error


def ids_in(folder: Folder) -> dict[str, str]:
    return {"account_id": folder.account_id, "folder_id": folder.id}
