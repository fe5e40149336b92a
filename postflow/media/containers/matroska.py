"""Matroska and WebM: an EBML header, then a Segment that says how long it is.

Layout: RFC 9559; of the EBML elements that they are made of, RFC 8794.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from postflow.language import N_

from .reading import (
    ASTRAY,
    HINT,
    HOLE,
    TAIL,
    BrokenError,
    NoMediaError,
    NotWhole,
    Reader,
    SpentError,
    Unknown,
    Verdict,
    Whole,
    ends_in_zeros,
    judge_behind,
    spread,
)

EBML, SEGMENT, CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
SEEK_HEAD, SEEK, SEEK_ID, SEEK_POSITION = 0x114D9B74, 0x4DBB, 0x53AB, 0x53AC
CUES, CUE_POINT, CUE_TRACK, CUE_CLUSTER = 0x1C53BB6B, 0xBB, 0xB7, 0xF1
VOID, CRC = 0xEC, 0xBF
BEFORE_MEDIA = 256
LONGEST_CODEC = 32
TRACKS, TRACK_ENTRY, TRACK_NUMBER = 0x1654AE6B, 0xAE, 0xD7
CODEC, CODEC_PRIVATE, FROM_WINDOWS = 0x86, 0x63A2, b"V_MS/VFW/FOURCC"
BLOCK_GROUP, BLOCK, SIMPLE_BLOCK = 0xA0, 0xA1, 0xA3
# Codecs whose pictures never end in zeros; H.264 and HEVC may be filled up to a constant rate.
END_IN_CONTENT = (b"V_FFV1", b"V_VP8", b"V_VP9", b"V_AV1", b"V_THEORA")


# Behind a Segment, only one of these that is cut is proof of missing bytes.
TOP = (EBML, SEGMENT)


class Element(NamedTuple):
    """One element. Of unknown size: `end` is `body`, so that a walk goes on inside it."""

    id: int
    start: int
    body: int
    end: int
    sized: bool = True


class NoElementError(BrokenError):
    """What stands there is no element."""


def elements(reader: Reader, start: int, stop: int) -> Iterator[Element]:
    """The elements that start before `stop`; some are longer than what holds them."""
    while start < stop:
        element = read_element(reader, start)
        yield element
        start = element.end


def read_element(reader: Reader, start: int) -> Element:
    """The element at `start`. BrokenError where it is cut by the file's end, or where none is."""
    head = reader.at(start, min(12, reader.size - start))
    id_width = _width(head, 0, longest=4)
    size_width = _width(head, id_width, longest=8)
    body = start + id_width + size_width
    if body > reader.size:
        raise BrokenError("ends in the middle of an element's header")
    raw = int.from_bytes(head[id_width : id_width + size_width], "big")
    size = raw & ((1 << 7 * size_width) - 1)
    id_ = int.from_bytes(head[:id_width], "big")
    if size == (1 << 7 * size_width) - 1:
        return Element(id_, start, body, body, sized=False)
    if body + size > reader.size:
        there = reader.size - body
        raise BrokenError(
            N_("ends in the middle: {there:,} of {size:,} bytes are there", there=there, size=size)
        )
    return Element(id_, start, body, body + size)


def _width(head: bytes, at: int, *, longest: int) -> int:
    """How many bytes a variable number has: the zero bits before its first one, plus one."""
    if at >= len(head):
        raise BrokenError("ends in the middle of an element's header")
    width = 9 - head[at].bit_length()
    if width > longest:
        raise NoElementError("has no element where one should be: it is cut or not written yet")
    return width


def number(reader: Reader, element: Element | None) -> int:
    return reader.number(element.body, element.end - element.body) if element else 0


def inside(reader: Reader, parent: Element) -> dict[int, Element]:
    """The children of an element by their id, the last of each."""
    return {each.id: each for each in elements(reader, parent.body, parent.end)}


def begins_like_matroska(head: bytes) -> bool:
    return head[:4] == EBML.to_bytes(4, "big")


def judge(reader: Reader) -> Verdict:
    """Whether the Segment ends where the file does, and what its index names is there."""
    segment = segment_of(reader)
    if not segment.sized:
        return _judge_unsized(reader, segment)
    if first_cluster(reader, segment) is None:
        raise BrokenError("has no frame in it: its export ended before the first one")
    named = seek_positions(reader, segment)
    seek = _right_ones(reader, named)
    cued = cued_clusters(reader, segment, seek.get(CUES))
    found = _found_clusters(reader, segment, cued)
    behind = _judge_behind(reader, segment.end)
    if not isinstance(behind, Whole):
        return behind
    if ends_in_zeros(reader, length=HINT):
        return _judge_end(reader, max([segment.body, *seek.values(), *found]), seek.get(TRACKS))
    if len(seek) < len(named) or len(found) < len(cued):
        return Unknown(reason=ASTRAY)
    return Whole()


def segment_of(reader: Reader) -> Element:
    if not begins_like_matroska(reader.some(0, 4)):
        raise NoMediaError("does not begin as Matroska does")
    segment = next((e for e in elements(reader, 0, reader.size) if e.id == SEGMENT), None)
    if segment is None:
        raise BrokenError("has no Segment in it yet")
    return segment


def first_cluster(reader: Reader, segment: Element) -> Element | None:
    """The first piece of media; None where the Segment ends without one."""
    stop = stop_of(reader, segment)
    for count, element in enumerate(elements(reader, segment.body, stop)):
        if element.id == CLUSTER:
            return element
        if count > BEFORE_MEDIA:
            raise SpentError
    return None


def seek_positions(reader: Reader, segment: Element) -> dict[int, int]:
    """What the first SeekHead names: element id to offset in the file, right or wrong."""
    head = next(elements(reader, segment.body, stop_of(reader, segment)), None)
    if head is None or head.id != SEEK_HEAD:
        return {}
    found = {}
    for seek in elements(reader, head.body, head.end):
        if seek.id == SEEK:
            parts = inside(reader, seek)
            id_, position = (number(reader, parts.get(key)) for key in (SEEK_ID, SEEK_POSITION))
            found[id_] = segment.body + position
    return found


def stop_of(reader: Reader, segment: Element) -> int:
    """Where the Segment ends; of unknown length, with the file."""
    return segment.end if segment.sized else reader.size


def _right_ones(reader: Reader, named: dict[int, int]) -> dict[int, int]:
    """Some writers name places where nothing is, or that are behind the end."""
    return {
        id_: position
        for id_, position in named.items()
        if reader.some(position, len(_spelled(id_))) == _spelled(id_)
    }


def _found_clusters(reader: Reader, segment: Element, cued: list[int]) -> list[int]:
    """Those of the clusters named by the index (Cues) that are there; none where its writer counts
    from somewhere else. BrokenError where only some are missing.
    """
    found = [at for at in cued if reader.some(at, 4) == _spelled(CLUSTER)]
    for offset in cued if found else ():
        if offset >= segment.end:
            raise BrokenError("ends before the last part that its index (Cues) names")
        if not any(reader.some(offset, 4)):
            raise BrokenError(HOLE)
    return found


def cued_clusters(reader: Reader, segment: Element, start: int | None) -> list[int]:
    """Some offsets out of the Cues at `start`, the last one among them; none where none are."""
    if start is None or start + 12 > segment.end:
        return []
    cues = read_element(reader, start)
    if cues.id != CUES:
        return []
    reader.load(cues.start, cues.end)
    points = [each for each in elements(reader, cues.body, cues.end) if each.id == CUE_POINT]
    return [
        segment.body + position
        for place in spread(len(points))
        if (position := _cued(reader, points[place])) is not None
    ]


def _cued(reader: Reader, point: Element) -> int | None:
    track = inside(reader, point).get(CUE_TRACK)
    cluster = inside(reader, track).get(CUE_CLUSTER) if track else None
    return number(reader, cluster) if cluster else None


def _judge_behind(reader: Reader, end: int) -> Verdict:
    """What follows the Segment: more elements, or what is none."""
    at = end
    try:
        while at < reader.size:
            at = read_element(reader, at).end
    except NoElementError:
        return judge_behind(reader, at)
    except BrokenError:
        if _is_known(reader, at):
            raise
        return judge_behind(reader, at)
    return Whole()


def _is_known(reader: Reader, at: int) -> bool:
    head = reader.some(at, 4)
    return any(head.startswith(_spelled(id_)) for id_ in TOP)


def _spelled(id_: int) -> bytes:
    return id_.to_bytes(8, "big").lstrip(b"\0")


def _judge_unsized(reader: Reader, segment: Element) -> Verdict:
    """A writer that finishes fills in the size, or at least leaves an index (Cues) behind."""
    cues = seek_positions(reader, segment).get(CUES)
    if cues is not None and cues < reader.size and _closes(reader, cues):
        return Whole()
    try:
        for _ in elements(reader, segment.body, reader.size):
            pass
    except SpentError:
        pass  # too many parts to count: no end was stated anyway
    return NotWhole(
        reason="has a Segment of unknown length: its writer has not finished it", open_ended=True
    )


def _closes(reader: Reader, cues: int) -> bool:
    try:
        found = [element.id for element in elements(reader, cues, reader.size)]
    except BrokenError:
        return False
    return found[0] == CUES and CLUSTER not in found


def _judge_end(reader: Reader, start: int, tracks: int | None) -> Verdict:
    """The file ends in zeros: the walk to its last element shows whether they belong there."""
    *_, last = elements(reader, start, reader.size)
    if last.id in (VOID, CRC):
        return Whole()
    parts = list(elements(reader, last.body, last.end))  # an element of zeros does not exist
    if last.id == CLUSTER and parts and _is_unwritten(reader, parts[-1], tracks):
        raise BrokenError("has a last picture without an end: it is cut or not written yet")
    return Unknown(reason="ends in zeros, which may be silence or black in its last block")


def _is_unwritten(reader: Reader, last: Element, tracks: int | None) -> bool:
    """Sound may be silence, and black may be zeros where pixels are kept as they are."""
    if last.id == BLOCK_GROUP:
        last = inside(reader, last).get(BLOCK, last)
    if tracks is None or last.id not in (BLOCK, SIMPLE_BLOCK) or last.end - last.body <= TAIL:
        return False
    track = reader.number(last.body, 1) & 0x7F
    codec = _codecs(reader, tracks).get(track, b"")
    return codec.startswith(END_IN_CONTENT) and ends_in_zeros(reader, last.end)


def _codecs(reader: Reader, tracks: int) -> dict[int, bytes]:
    """The codec of each track, by its number."""
    element = read_element(reader, tracks)
    entries = (e for e in elements(reader, element.body, element.end) if e.id == TRACK_ENTRY)
    parts = [inside(reader, entry) for entry in entries]
    return {number(reader, each.get(TRACK_NUMBER)): _codec(reader, each) for each in parts}


def _codec(reader: Reader, parts: dict[int, Element]) -> bytes:
    """Its name; of what comes from Windows the four letters in its BITMAPINFOHEADER."""
    name, header = parts.get(CODEC), parts.get(CODEC_PRIVATE)
    found = reader.some(name.body, min(LONGEST_CODEC, name.end - name.body)) if name else b""
    if found != FROM_WINDOWS or header is None:
        return found
    return b"V_" + reader.some(header.body + 16, 4)
