"""Pages of a list. `links.next` carries `after` and nothing else, as the real one does."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from postflow.sandbox.refusals import Json

from .queries import Asked, bad_cursor

ERLANG_MAP = b"\x83t\x00\x00\x00"


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


Item = TypeVar("Item", bound=_Identified)


def page(
    items: Sequence[Item], asked: Asked, path: str, shape: Callable[[Item], Json]
) -> dict[str, Any]:
    """One page of `items` as an answer's body; `path` is that of the request."""
    ordered = _ordered(items, asked)
    start = _start(ordered, asked.after)
    shown = ordered[start : start + asked.page_size]
    end = start + len(shown)
    follows = f"{path}?after={quote(_cursor(shown[-1], end))}" if end < len(ordered) else None
    return {
        "data": [shape(item) for item in shown],
        "links": {"next": follows},
        "total_count": len(ordered) if asked.total_count else None,
    }


def _ordered(items: Sequence[Item], asked: Asked) -> list[Item]:
    if asked.sort is None:
        return list(items)
    attribute = asked.sort
    return sorted(items, key=lambda item: _rank(item, attribute), reverse=asked.descending)


def _rank(item: object, attribute: str) -> tuple[bool, Any]:
    """What is not there comes first."""
    value = getattr(item, attribute)
    return value is not None, value


def _cursor(last: _Identified, end: int) -> str:
    return base64.b64encode(ERLANG_MAP + json.dumps([last.id, end]).encode()).decode()


def _start(ordered: Sequence[_Identified], after: str | None) -> int:
    """Right after the item the last page ended with; where that is gone, at its old place."""
    if after is None:
        return 0
    last_id, end = _read_cursor(after)
    places = (place for place, item in enumerate(ordered, 1) if item.id == last_id)
    return next(places, end - 1)


def _read_cursor(after: str) -> tuple[str, int]:
    try:
        raw = base64.b64decode(after, validate=True)
        last_id, end = json.loads(raw.removeprefix(ERLANG_MAP))
    except (binascii.Error, ValueError, TypeError) as error:
        raise bad_cursor() from error
    if not (isinstance(last_id, str) and isinstance(end, int)):
        raise bad_cursor()
    return last_id, end
