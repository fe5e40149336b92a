"""Query parameters: what an operation takes, and what a call asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.refusals import Refusal, invalid

MEDIA_LINKS = (
    "original",
    "thumbnail",
    "thumbnail_high_quality",
    "video_h264_180",
    "high_quality",
    "efficient",
    "scrub_sheet",
)
FOLDER_INCLUDES = frozenset({"creator", "project", "metadata"})
ASSET_INCLUDES = FOLDER_INCLUDES | {f"media_links.{link}" for link in MEDIA_LINKS}
NAME_SORTS = ("name", "created_at")
ASSET_SORTS = (*NAME_SORTS, "updated_at")
FILE_SORTS = (*ASSET_SORTS, "file_size")
KINDS = frozenset({"file", "folder", "version_stack"})
DEFAULT_PAGE = 50
PAGING = frozenset({"after", "page_size", "include_total_count"})


@dataclass(frozen=True)
class Query:
    """What an operation takes. `page` is the largest page; 0 means it lists nothing."""

    include: frozenset[str] = frozenset()
    sort: tuple[str, ...] = ()
    page: int = 0
    also: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        names = set(self.also)
        names |= {"include"} if self.include else set()
        names |= {"sort"} if self.sort else set()
        return frozenset(names | (PAGING if self.page else set()))


@dataclass(frozen=True)
class Asked:
    """What a call asked for, checked."""

    include: frozenset[str] = frozenset()
    sort: str | None = None
    descending: bool = False
    after: str | None = None
    page_size: int = DEFAULT_PAGE
    total_count: bool = False
    kinds: frozenset[str] = KINDS


def read_query(query: Query, given: Mapping[str, str], *, strict: bool) -> Asked:
    """Check what was given against what an operation takes. Raises Refusal 422."""
    if strict and (unknown := sorted(set(given) - query.names)):
        raise invalid(f"/{unknown[0]}", f"Unexpected field: {unknown[0]}")
    sort, descending = _sort(query, given)
    return Asked(
        include=_choices("include", given.get("include"), query.include),
        sort=sort,
        descending=descending,
        after=given.get("after"),
        page_size=_page_size(query, given.get("page_size")),
        total_count=_flag("include_total_count", given.get("include_total_count")),
        kinds=_choices("type", given.get("type"), KINDS) or KINDS,
    )


def _choices(field: str, text: str | None, allowed: frozenset[str]) -> frozenset[str]:
    chosen = frozenset(part for part in (text or "").split(",") if part)
    if not chosen <= allowed:
        raise invalid(f"/{field}", "Invalid value for enum")
    return chosen


def _sort(query: Query, given: Mapping[str, str]) -> tuple[str | None, bool]:
    text = given.get("sort")
    if text is None:
        return None, False
    match = re.fullmatch(r"(\w+)_(asc|desc)", text)
    if match is None or match[1] not in query.sort:
        raise invalid("/sort", "Invalid value for enum")
    return match[1], match[2] == "desc"


def _page_size(query: Query, text: str | None) -> int:
    if text is None or not query.page:
        return DEFAULT_PAGE
    if not text.isdecimal():
        raise invalid("/page_size", "Invalid integer. Got: string")
    if not 1 <= int(text) <= query.page:
        raise invalid("/page_size", f"{text} is not in 1..{query.page}")
    return int(text)


def _flag(field: str, text: str | None) -> bool:
    if text not in (None, "true", "false"):
        raise invalid(f"/{field}", "Invalid boolean. Got: string")
    return text == "true"


def bad_cursor() -> Refusal:
    return invalid("/after", "Invalid cursor")
