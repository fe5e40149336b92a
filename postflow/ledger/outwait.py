"""A ledger that is busy or away for a while is asked again, where nobody else knows the answer."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_before_delay,
    wait_random_exponential,
)

from postflow.errors import Retry

log = logging.getLogger(__name__)

WITHIN = 60.0

T = TypeVar("T")


async def outwait(call: Callable[[], Awaitable[T]], what: str) -> T:
    """The answer to `call`, asked again for a minute; then its Retry. `what` is said meanwhile."""

    def say(state: RetryCallState) -> None:
        log.warning("%s: %s", what, state.outcome and state.outcome.exception())

    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(Retry),
        wait=wait_random_exponential(multiplier=0.5, max=10),
        stop=stop_before_delay(WITHIN),
        before_sleep=say,
        reraise=True,
    ):
        with attempt:
            return await call()
    raise AssertionError("tenacity returns or raises")
