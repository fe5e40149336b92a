"""EBML elements, which Matroska and WebM are made of (RFC 8794)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .reading import BrokenError, Reader

# An element that is cut is proof of missing bytes only where it is one that stands there.
TOP = frozenset((0x1A45DFA3, 0x18538067, 0xEC, 0xBF))


class Element(NamedTuple):
    """One element. Of unknown size: `end` is `body`, so that a walk goes on inside it."""

    id: int
    start: int
    body: int
    end: int
    sized: bool = True


class NoElementError(BrokenError):
    """What stands at `start` is no element."""

    def __init__(self, start: int) -> None:
        super().__init__("has no element where one should be: it is cut or not written yet")
        self.start = start


def elements(reader: Reader, start: int, stop: int) -> Iterator[Element]:
    """The elements from `start`, which have to end exactly at `stop`."""
    while start < stop:
        element = read_element(reader, start, stop)
        yield element
        start = element.end


def read_element(reader: Reader, start: int, stop: int) -> Element:
    head = reader.at(start, min(12, stop - start))
    id_width = _width(head, 0, start, longest=4)
    size_width = _width(head, id_width, start, longest=8)
    body = start + id_width + size_width
    if body > stop:
        raise BrokenError("ends in the middle of an element's header")
    raw = int.from_bytes(head[id_width : id_width + size_width], "big")
    size = raw & ((1 << 7 * size_width) - 1)
    id_ = int.from_bytes(head[:id_width], "big")
    if size == (1 << 7 * size_width) - 1:
        return Element(id_, start, body, body, sized=False)
    if body + size > stop:
        raise BrokenError(f"ends in the middle: {stop - body:,} of {size:,} bytes are there")
    return Element(id_, start, body, body + size)


def _width(head: bytes, at: int, start: int, *, longest: int) -> int:
    """How many bytes a variable number has: the zero bits before its first one, plus one."""
    if at >= len(head):
        raise BrokenError("ends in the middle of an element's header")
    width = 9 - head[at].bit_length()
    if width > longest:
        raise NoElementError(start)
    return width


def number(reader: Reader, element: Element | None) -> int:
    return reader.number(element.body, element.end - element.body) if element else 0


def inside(reader: Reader, parent: Element) -> dict[int, Element]:
    """The children of an element by their id, the last of each."""
    return {each.id: each for each in elements(reader, parent.body, parent.end)}
