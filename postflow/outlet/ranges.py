"""The byte range that a request asks for (RFC 9110, sections 8.8, 13, 14), and the ranges sent."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from email.utils import formatdate
from typing import NamedTuple

_ONE_RANGE = re.compile(
    r" *bytes= *(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18})) *", re.IGNORECASE
)
_ETAG = re.compile(r'(?:W/)?"[^"]*"|\*')


class Validators(NamedTuple):
    """What tells two states of a file apart: a strong ETag, and the mtime in whole seconds."""

    etag: str
    modified: int

    @property
    def last_modified(self) -> str:
        return formatdate(self.modified, usegmt=True)


class Selection(NamedTuple):
    """The answer's status, and the bytes from `start` up to, not including, `stop`."""

    status: int
    start: int
    stop: int


def select(
    headers: Mapping[str, str], size: int, validators: Validators, *, ranges: bool = True
) -> Selection:
    """Choose among 200, 206, 304, 412 and 416. A Range that need not be honoured is ignored;
    without `ranges` (for HEAD) every one is.
    """
    if not _matches(headers.get("If-Match"), validators, default=True):
        return Selection(412, 0, 0)
    if _matches(headers.get("If-None-Match"), validators, default=False):
        return Selection(304, 0, 0)
    found = _ONE_RANGE.fullmatch(headers.get("Range", "")) if ranges else None
    if not found or not _still_current(headers.get("If-Range"), validators):
        return Selection(200, 0, size)
    return _part(*found.groups(), size=size)


def _part(first: str | None, last: str | None, suffix: str | None, *, size: int) -> Selection:
    if suffix is not None or first is None:
        start, stop = max(size - int(suffix or 0), 0), size
    else:
        start, stop = int(first), min(int(last) + 1 if last else size, size)
        if last and int(last) < start:
            return Selection(200, 0, size)
    return Selection(206, start, stop) if start < size else Selection(416, 0, 0)


def _matches(condition: str | None, validators: Validators, *, default: bool) -> bool:
    if condition is None:
        return default
    return not {"*", validators.etag}.isdisjoint(_ETAG.findall(condition))


def _still_current(condition: str | None, validators: Validators) -> bool:
    """If-Range compares strongly: a weak ETag or another date never matches."""
    return condition is None or condition.strip() in (validators.etag, validators.last_modified)


class Coverage:
    """A set of byte positions, kept as sorted intervals that neither touch nor overlap."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        self._covered = 0

    def __len__(self) -> int:
        """Number of intervals."""
        return len(self._starts)

    @property
    def covered(self) -> int:
        """Number of different bytes."""
        return self._covered

    def add(self, start: int, stop: int) -> None:
        """Include the bytes from `start` up to, not including, `stop`."""
        if start >= stop:
            return
        first = bisect_left(self._stops, start)
        last = bisect_right(self._starts, stop)
        if first < last:
            start = min(start, self._starts[first])
            stop = max(stop, self._stops[last - 1])
        known = sum(self._stops[first:last]) - sum(self._starts[first:last])
        self._starts[first:last] = [start]
        self._stops[first:last] = [stop]
        self._covered += stop - start - known
