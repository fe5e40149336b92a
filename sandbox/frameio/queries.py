"""Query parameters, checked against the contract, and the pages of a list.

`links.next` carries `after` and nothing else, as the real one does.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from postflow.sandbox.refusals import Json, Refusal, invalid
from postflow.sandbox.switches import Switches

from .contract import LISTS

KINDS = frozenset({"file", "folder", "version_stack"})
DEFAULT_PAGE = 50
HUNDRED = 100
NOTHING: frozenset[str] = frozenset()
ERLANG_MAP = b"\x83t\x00\x00\x00"


@dataclass(frozen=True)
class Asked:
    """What a call asked for, checked."""

    include: frozenset[str] = NOTHING
    sort: str | None = None
    descending: bool = False
    after: str | None = None
    page_size: int = DEFAULT_PAGE
    total_count: bool = False
    kinds: frozenset[str] = KINDS


def read_query(allowed: Mapping[str, Json], given: Mapping[str, str], switches: Switches) -> Asked:
    """Read what was given by the schema of each parameter. Raises Refusal 422."""
    if switches.strict_query and (unknown := sorted(set(given) - set(allowed))):
        raise invalid(f"/{unknown[0]}", f"Unexpected field: {unknown[0]}")
    asked: dict[str, Any] = {
        name: _value(name, text, allowed[name]) for name, text in given.items() if name in allowed
    }
    _refuse_by_switch(asked, switches)
    sort, _, direction = asked.get("sort", "").rpartition("_")
    return Asked(
        include=asked.get("include", NOTHING),
        sort=sort or None,
        descending=direction == "desc",
        after=asked.get("after"),
        page_size=asked.get("page_size", DEFAULT_PAGE),
        total_count=asked.get("include_total_count", False),
        kinds=asked.get("type") or KINDS,
    )


def _refuse_by_switch(asked: dict[str, Any], switches: Switches) -> None:
    """What the document allows, and the service may not. Page sizes may not count at all."""
    several = {name for name in LISTS if len(asked.get(name, ())) > 1}
    for name, rule in (("include", switches.include_list), ("type", switches.type_list)):
        if name in several and rule == "refused":
            raise invalid(f"/{name}", "Invalid value for enum")
    if switches.page_sizes == "hundred" and asked.get("page_size", 0) > HUNDRED:
        raise invalid("/page_size", f"{asked['page_size']} is not in 1..{HUNDRED}")
    if switches.page_sizes == "ignored":
        asked.pop("page_size", None)


def _value(name: str, text: str, schema: Json) -> object:
    match schema.get("type"):
        case "integer":
            return _integer(name, text, schema)
        case "boolean":
            return _flag(name, text)
    values = [part for part in text.split(",") if part] if name in LISTS else [text]
    if "enum" in schema and not set(values) <= set(schema["enum"]):
        raise invalid(f"/{name}", "Invalid value for enum")
    return frozenset(values) if name in LISTS else text


def _integer(name: str, text: str, schema: Json) -> int:
    least, most = schema["minimum"], schema["maximum"]
    if not (text.isascii() and text.isdecimal()):
        raise invalid(f"/{name}", "Invalid integer. Got: string")
    if not least <= int(text) <= most:
        raise invalid(f"/{name}", f"{text} is not in {least}..{most}")
    return int(text)


def _flag(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise invalid(f"/{name}", "Invalid boolean. Got: string")
    return text == "true"


def bad_cursor() -> Refusal:
    return invalid("/after", "Invalid cursor")


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
