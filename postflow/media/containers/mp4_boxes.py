"""The boxes ("atoms") that QuickTime and MP4 files are made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .reading import TERMINATOR, BrokenError, Reader, ends_in_zeros, name_of

# What a file has at its top level. Of these, one that is cut is proof of missing bytes.
KNOWN = frozenset(
    (
        *(b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"uuid", b"styp"),
        *(b"sidx", b"ssix", b"moof", b"mfra", b"meta", b"emsg", b"prft", b"udta", b"junk"),
    )
)


class Box(NamedTuple):
    """One box: offsets in bytes from the start of the file, `body` behind the header."""

    kind: bytes
    start: int
    body: int
    end: int
    open_ended: bool = False

    @property
    def name(self) -> str:
        return name_of(self.kind)


class NoBoxError(BrokenError):
    """What stands at `start` is no box that one could know."""

    def __init__(self, start: int, text: str) -> None:
        super().__init__(text)
        self.start = start


def boxes(reader: Reader, start: int, stop: int) -> Iterator[Box]:
    """The boxes from `start`, which have to end exactly at `stop`, but for a few closing zeros.

    NoBoxError where no box is, BrokenError where one is cut.
    """
    while start < stop:
        if stop - start <= TERMINATOR and ends_in_zeros(reader, stop, stop - start):
            return
        box = read_box(reader, start, stop)
        yield box
        start = box.end


def read_box(reader: Reader, start: int, stop: int) -> Box:
    """The box at `start`; one of size 0 reaches to `stop`."""
    head = reader.at(start, min(16, stop - start))
    if len(head) < 8:
        raise NoBoxError(start, "ends in the middle of a box header")
    size, kind, body = int.from_bytes(head[:4], "big"), head[4:8], start + 8
    if size == 0:
        return _to_the_end(kind, start, stop)
    if size == 1:
        size, body = int.from_bytes(head[8:16], "big"), start + 16
    if size < body - start:
        raise NoBoxError(start, "has a damaged box header")
    if start + size > stop:
        part = f"ends in the middle of '{name_of(kind)}': {stop - start:,} of {size:,} bytes"
        raise BrokenError(part) if kind in KNOWN else NoBoxError(start, part)
    return Box(kind, start, body, start + size)


def _to_the_end(kind: bytes, start: int, stop: int) -> Box:
    if not any(kind):
        raise NoBoxError(start, "has zeros where a box should be: it is cut or not written yet")
    if kind not in KNOWN:
        raise NoBoxError(start, "has a damaged box header")
    return Box(kind, start, start + 8, stop, open_ended=True)


def inside(reader: Reader, parent: Box | None) -> dict[bytes, Box]:
    """The children of a box by their kind, the first of each; none for None."""
    found: dict[bytes, Box] = {}
    for box in boxes(reader, parent.body, parent.end) if parent else ():
        found.setdefault(box.kind, box)
    return found
