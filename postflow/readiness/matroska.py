"""Matroska and WebM: an EBML header, then a Segment that says how long it is.

Layout: RFC 8794 (EBML) and RFC 9559 (Matroska).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from postflow.readiness.reader import BrokenError, Reader, SpentError
from postflow.readiness.tail import HINT, ends_in_zeros
from postflow.readiness.verdicts import NotWhole, Unknown, Verdict, Whole

EBML, SEGMENT, CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
SEEK_HEAD, SEEK, SEEK_ID, SEEK_POSITION = 0x114D9B74, 0x4DBB, 0x53AB, 0x53AC
CUES, VOID, CRC = 0x1C53BB6B, 0xEC, 0xBF


class Element(NamedTuple):
    """One element. Of unknown size: `end` is `body`, so that a walk goes on inside it."""

    id: int
    start: int
    body: int
    end: int
    sized: bool = True


def begins_like_matroska(head: bytes) -> bool:
    return head[:4] == EBML.to_bytes(4, "big")


def judge(reader: Reader) -> Verdict:
    """Whether the Segment ends where the file does."""
    segment = next((e for e in elements(reader, 0, reader.size) if e.id == SEGMENT), None)
    if segment is None:
        raise BrokenError("has no Segment in it yet")
    if not segment.sized:
        return _judge_unsized(reader, segment)
    for _ in elements(reader, segment.end, reader.size):
        pass  # whatever follows has to end with the file
    return _judge_end(reader, segment) if ends_in_zeros(reader, length=HINT) else Whole()


def elements(reader: Reader, start: int, stop: int) -> Iterator[Element]:
    """The elements from `start`, which have to end exactly at `stop`."""
    while start < stop:
        element = _element(reader, start, stop)
        yield element
        start = element.end


def _element(reader: Reader, start: int, stop: int) -> Element:
    head = reader.at(start, min(12, stop - start))
    id_width = _width(head, 0, longest=4)
    size_width = _width(head, id_width, longest=8)
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


def _width(head: bytes, at: int, *, longest: int) -> int:
    """How many bytes a variable number has: the zero bits before its first one, plus one."""
    width = 9 - head[at].bit_length() if at < len(head) else 9
    if width > longest:
        raise BrokenError("has no element where one should be: it is cut or still being copied")
    return width


def _seek_positions(reader: Reader, segment: Element, stop: int) -> dict[int, int]:
    """What the first SeekHead names: element id to offset in the file."""
    head = next(elements(reader, segment.body, stop), None)
    if head is None or head.id != SEEK_HEAD:
        return {}
    found = {}
    for seek in elements(reader, head.body, head.end):
        if seek.id == SEEK:
            parts = {part.id: part for part in elements(reader, seek.body, seek.end)}
            id_, position = (_number(reader, parts.get(key)) for key in (SEEK_ID, SEEK_POSITION))
            found[id_] = segment.body + position
    return found


def _number(reader: Reader, element: Element | None) -> int:
    return reader.number(element.body, element.end - element.body) if element else 0


def _judge_unsized(reader: Reader, segment: Element) -> Verdict:
    """A writer that finishes fills in the size, or at least leaves an index (Cues) behind."""
    cues = _seek_positions(reader, segment, reader.size).get(CUES)
    if cues is not None and cues < reader.size:
        found = list(elements(reader, cues, reader.size))
        if found[0].id == CUES and all(element.id != CLUSTER for element in found):
            return Whole()
    try:
        for _ in elements(reader, segment.body, reader.size):
            pass
    except SpentError:
        pass  # too many parts to count: no end was stated anyway
    return NotWhole(
        reason="has a Segment of unknown length: its writer has not finished it", open_ended=True
    )


def _judge_end(reader: Reader, segment: Element) -> Verdict:
    """The file ends in zeros: the walk to its last element shows whether they belong there."""
    start = max(_seek_positions(reader, segment, segment.end).values(), default=segment.body)
    *_, last = elements(reader, start, reader.size)
    if last.id in (VOID, CRC):
        return Whole()
    for _ in elements(reader, last.body, last.end):
        pass  # an element of zeros does not exist
    return Unknown(reason="ends in zeros, which may be silence in its last block")
