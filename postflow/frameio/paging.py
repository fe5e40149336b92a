"""Lists that come in pages."""

from __future__ import annotations

import asyncio
import functools
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from postflow.errors import Fatal
from postflow.models import nfc

from .calls import Api, Call
from .endpoints import PAGE
from .errors import REFUSED, UNKNOWN_ITEM, UNREADABLE
from .models import Links, Named, Page

logger = logging.getLogger(__name__)

W = TypeVar("W")

# Pages in a row that name nothing new; a list that goes on so has no end.
PATIENCE = 3
M = TypeVar("M", bound=BaseModel)


@dataclass
class Listing(Generic[W]):
    """`unread` are things that Frame.io describes in a way we do not know."""

    items: list[W] = field(default_factory=list)
    unread: list[Named] = field(default_factory=list)

    def refuse_unread(self, fits: Callable[[str], bool]) -> None:
        """Raises Retry where what cannot be read may be what is looked for: it is not absent."""
        for thing in self.unread:
            if fits(nfc(thing.name)):
                raise UNKNOWN_ITEM(name=thing.name)


class SharedLists(Generic[W]):
    """What Frame.io lists, by the folder's id: taken once for all that want it within a while.

    Of many that want the same at once, one asks, and the others wait for its answer.
    """

    def __init__(self, keep: float) -> None:
        """`keep`: seconds after which nobody wants a list any more."""
        self._keep = keep
        self._taken: dict[str, tuple[float, W]] = {}
        self._taking: dict[str, asyncio.Lock] = {}

    async def get(self, folder_id: str, since: float, take: Callable[[], Awaitable[W]]) -> W:
        """A list that was asked for at `since` or later, in seconds of the monotonic clock."""
        async with self._taking.setdefault(folder_id, asyncio.Lock()):
            began, found = self._taken.get(folder_id, (-math.inf, None))
            if found is None or began < since:
                now = time.monotonic()
                found = await take()
                self.put(folder_id, now, found)
        return found

    def put(self, folder_id: str, began: float, found: W) -> None:
        for old in [key for key, (at, _) in self._taken.items() if at < began - self._keep]:
            del self._taken[old]
            self._taking.pop(old, None)
        self._taken[folder_id] = (began, found)

    def clear(self) -> None:
        self._taken.clear()

    def __len__(self) -> int:
        return len(self._taken)


async def listing(api: Api, call: Call, read: Callable[[Any], W]) -> Listing[W]:
    """All items of a list. A fault on any page is a fault of the whole, an odd item is not."""
    found: Listing[W] = Listing()
    seen: set[str] = set()
    ids: set[str] = set()
    without_news = 0
    after: str | None = ""
    while after is not None:
        query = {**call.query, **({"after": after} if after else {})}
        page = await _page(api, replace(call, query=query))
        _sort(page, call, read, found)
        after = _cursor(page.links)
        new = {_named(raw).id for raw in page.data} - ids
        ids |= new
        without_news = 0 if new else without_news + 1
        if after in seen or after == "" or (after and without_news > PATIENCE):
            raise UNREADABLE(doing=call.endpoint.doing)
        seen.add(after or "")
    return found


async def _page(api: Api, call: Call) -> Page:
    """Where a large page is refused, one of a hundred, from then on."""
    size = min(api.pacing.page_size, call.endpoint.page)
    try:
        return await api.ask(replace(call, query={**call.query, "page_size": size}), Page)
    except Fatal as refused:
        if refused.code != REFUSED.code or size <= PAGE:
            raise
    api.pacing.page_size = PAGE
    return await _page(api, call)


async def every_page(api: Api, call: Call, kind: type[M]) -> list[M]:
    """The items of a list that can be read."""
    return (await listing(api, call, kind.model_validate)).items


def _sort(page: Page, call: Call, read: Callable[[Any], W], found: Listing[W]) -> None:
    for raw in page.data:
        try:
            found.items.append(read(raw))
        except (ValidationError, ValueError):
            thing = _named(raw)
            found.unread.append(thing)
            _warn(call.endpoint.doing, thing)


def _named(raw: Any) -> Named:
    try:
        return Named.model_validate(raw)
    except ValidationError:
        return Named()


@functools.lru_cache(maxsize=1000)
def _warn(doing: str, thing: Named) -> None:
    """Once for each thing, not at every look."""
    logger.warning(
        "Asked to %s, Frame.io names something PostFlow cannot read (type %r, name %r); "
        "it is left out.",
        doing,
        thing.type,
        thing.name,
    )


def _cursor(links: Links | None) -> str | None:
    """`links.next` carries nothing but `after`; the other parameters are ours to repeat.

    Empty where it cannot be read.
    """
    if links is None or links.next is None:
        return None
    try:
        after: str = httpx.URL(links.next).params.get("after", "")
    except httpx.InvalidURL:
        return ""
    return after
