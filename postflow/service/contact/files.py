"""What becomes of a file, however it got in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from postflow.frameio import endpoints

from .fetching import fetch_whole, fetched, given_up, request_fetch, silence
from .manners import of_second
from .sending import knows_type, reserve, send, sent
from .visit import Reply, Unanswered, Visit


async def media_type_at(visit: Visit) -> str:
    try:
        made = (await visit.once(sent)).made
    except Unanswered:
        made = (await visit.once(fetched)).made
    return "creation" if knows_type(made) else "upload"


async def duplicate_files(visit: Visit) -> str:
    for once in (_reserved, _requested):
        try:
            return of_second(await once(visit), await once(visit))
        except Unanswered as unanswered:
            failure = unanswered
    raise failure


async def _reserved(visit: Visit) -> Reply:
    return await reserve(visit, "twin", 1)


async def _requested(visit: Visit) -> Reply:
    return (await request_fetch(visit, "twin")).made


async def a_file(visit: Visit, name: str) -> str:
    """The id of a whole file, by whichever way there is."""
    ways: tuple[Callable[[Visit, str], Awaitable[Any]], ...] = (send, fetch_whole)
    for way in ways:
        try:
            return str((await way(visit, name)).made.data["id"])
        except Unanswered as unanswered:
            failure = unanswered
    raise failure


async def transcoded(visit: Visit) -> float | None:
    """Seconds from its being sent to transcoded; None where it is not within the time for it."""
    began = time.monotonic()
    file_id = await a_file(visit, "transcoded")

    async def look() -> float | None:
        told = (await visit.ask(endpoints.FILE, file_id=file_id)).expect(200).data
        return time.monotonic() - began if told.get("status") == "transcoded" else None

    try:
        return await visit.until(look, visit.bounds.slow)
    except Unanswered as unanswered:
        if unanswered.why == "not in time":
            return None
        raise


async def transcodes(visit: Visit) -> bool:
    return await visit.once(transcoded) is not None


async def transcode_seconds(visit: Visit) -> float:
    seconds = await visit.once(transcoded)
    if seconds is None:
        raise Unanswered("not in time")
    return seconds


SLOW = (fetched, given_up, silence, sent, transcoded)


def begin_slow(visit: Visit) -> None:
    """What takes long is under way while the rest is asked."""
    for trial in SLOW:
        visit.begin(trial).add_done_callback(_heed)


def _heed(task: asyncio.Task[Any]) -> None:
    """Whether anybody asks for what came of it is not known yet."""
    if not task.cancelled():
        task.exception()
