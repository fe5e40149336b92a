"""Query parameters: what a call asked for, checked against the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from postflow.sandbox.refusals import Json, Refusal, invalid

from .contract import LISTS

KINDS = frozenset({"file", "folder", "version_stack"})
DEFAULT_PAGE = 50
NOTHING: frozenset[str] = frozenset()


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


def read_query(allowed: Mapping[str, Json], given: Mapping[str, str], *, strict: bool) -> Asked:
    """Read what was given by the schema of each parameter. Raises Refusal 422."""
    if strict and (unknown := sorted(set(given) - set(allowed))):
        raise invalid(f"/{unknown[0]}", f"Unexpected field: {unknown[0]}")
    asked: dict[str, Any] = {
        name: _value(name, text, allowed[name]) for name, text in given.items() if name in allowed
    }
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
