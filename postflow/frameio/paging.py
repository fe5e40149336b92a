"""Lists that come in pages."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import httpx

from postflow.frameio.calls import Api, Call
from postflow.frameio.refusals import unreadable
from postflow.frameio.wire import Page

W = TypeVar("W")


async def every_page(api: Api, call: Call, page_of: type[Page[W]]) -> list[W]:
    """All items of a list. A fault on any page is a fault of the whole."""
    items: list[W] = []
    seen: set[str] = set()
    after: str | None = ""
    while after is not None:
        query = {**call.query, "page_size": min(api.page_size, call.endpoint.page)}
        if after:
            query["after"] = after
        page = await api.ask(replace(call, query=query), page_of)
        items.extend(page.data)
        after = _cursor(page.links.next)
        if after in seen or after == "":
            raise unreadable(call.endpoint)
        seen.add(after or "")
    return items


def _cursor(link: str | None) -> str | None:
    """`links.next` carries nothing but `after`; the other parameters are ours to repeat."""
    return httpx.URL(link).params.get("after", "") if link else None
