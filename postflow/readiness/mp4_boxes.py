"""The boxes ("atoms") that QuickTime and MP4 files are made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from postflow.readiness.reader import BrokenError, Reader


class Box(NamedTuple):
    """One box: offsets in bytes from the start of the file, `body` behind the header."""

    kind: bytes
    start: int
    body: int
    end: int
    open_ended: bool = False

    @property
    def name(self) -> str:
        return self.kind.decode("ascii", "replace")


def boxes(reader: Reader, start: int, stop: int) -> Iterator[Box]:
    """The boxes from `start`, which have to end exactly at `stop`. BrokenError if they do not."""
    while start < stop:
        box = read_box(reader, start, stop)
        yield box
        start = box.end


def read_box(reader: Reader, start: int, stop: int) -> Box:
    """The box at `start`; one of size 0 reaches to `stop`."""
    head = reader.at(start, min(16, stop - start))
    if len(head) < 8:
        raise BrokenError("ends in the middle of a box header")
    size, kind, body = int.from_bytes(head[:4], "big"), head[4:8], start + 8
    if size == 0:
        return _to_the_end(kind, start, stop)
    if size == 1:
        size, body = int.from_bytes(head[8:16], "big"), start + 16
    if size < body - start:
        raise BrokenError("has a damaged box header")
    if start + size > stop:
        part = f"{stop - start:,} of {size:,} bytes"
        raise BrokenError(f"ends in the middle of '{kind.decode('ascii', 'replace')}': {part}")
    return Box(kind, start, body, start + size)


def _to_the_end(kind: bytes, start: int, stop: int) -> Box:
    if not any(kind):
        raise BrokenError("has zeros where a box should be: it is still being copied")
    return Box(kind, start, start + 8, stop, open_ended=True)


def find(reader: Reader, parent: Box, *path: bytes) -> Box | None:
    """The first box under `parent` along `path`, or None."""
    for kind in path:
        inside = (box for box in boxes(reader, parent.body, parent.end) if box.kind == kind)
        found = next(inside, None)
        if found is None:
            return None
        parent = found
    return parent
