"""Creating something once, although Frame.io knows no idempotency key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from .calls import AnswerLost, Api, Call
from .errors import unsettled
from .models import One, Wire

logger = logging.getLogger(__name__)

W = TypeVar("W", bound=Wire)
Look = Callable[[], Awaitable[W | None]]


def never() -> bool:
    return False


async def create_once(
    api: Api,
    call: Call,
    answer: type[One[W]],
    look: Look[W],
    *,
    took_effect: Callable[[], bool] = never,
) -> W:
    """POST, and where the answer is lost, look whether it was done before sending it again.

    `took_effect` may know it from elsewhere: once true, we look but never send again. Raises
    `Retry` with code frameio.unsettled where nothing can be found and no tries are left.
    """
    for attempt in range(1, api.patience.posts + 1):
        try:
            return (await api.post_once(call, answer)).data
        except AnswerLost:
            logger.info("Frame.io gave no answer when asked to %s; looking.", call.endpoint.doing)
        found = await _look_for(look, api.patience.looks)
        if found is not None:
            return found
        if took_effect():
            break
        logger.info("Frame.io did not %s (attempt %d).", call.endpoint.doing, attempt)
    raise unsettled(call.endpoint)


async def _look_for(look: Look[W], pauses: tuple[float, ...]) -> W | None:
    for pause in pauses:
        await asyncio.sleep(pause)
        found = await look()
        if found is not None:
            return found
    return None
