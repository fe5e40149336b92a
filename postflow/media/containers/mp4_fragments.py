"""Fragmented MP4: `moof`+`mdat` again and again, and an index that says which one was the last.

A killed encoder mostly leaves such a file at the end of a fragment, where it is sound and yet not
finished. So an end has to be stated: by `mfra` at the end or by `sidx` at the front.
"""

from __future__ import annotations

from collections.abc import Iterator

from postflow.language import N_

from .mp4_boxes import Box, NoBoxError, boxes, read_box
from .reading import (
    ASTRAY,
    HINT,
    TAIL,
    BrokenError,
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

MFRO = b"\0\0\0\x10mfro"
MFRO_BYTES = 16
LONGEST_TRAILER = 32 * 1024
ENTRY_BYTES = {0: 8, 1: 16}
MEDIA = frozenset((b"moof", b"mdat"))


def judge(reader: Reader, first: Box) -> Verdict:
    """`first` is the file's first `moof`."""
    index = closing_index(reader)
    if index is not None:
        last, astray = _last_fragment(reader, index, first)
        _demand_chain(reader, last, index.start)
        found = _judge_behind(reader, index.end) or _without_an_end(reader, first)
        return Unknown(reason=ASTRAY) if astray and isinstance(found, Whole) else found
    end, last = indexed_end(reader, first)
    if end > reader.size:
        raise BrokenError("ends before the last fragment that its index (sidx) names")
    behind = _judge_behind(reader, end) if last else None
    if behind is None:
        return _without_an_end(reader, first)
    _demand_chain(reader, end - last, end)
    if ends_in_zeros(reader, end):
        cut = N_("ends in {tail:,} zeros or more: it is cut or not written yet", tail=TAIL)
        raise BrokenError(cut)
    if ends_in_zeros(reader, end, HINT):
        return Unknown(reason="ends in zeros, which may belong to its last frame")
    return behind


def closing_index(reader: Reader) -> Box | None:
    """The `mfra` at or near the end of the file; the `mfro` that closes it says how long it is."""
    for length in (MFRO_BYTES, LONGEST_TRAILER):
        begin = max(0, reader.size - length)
        near = reader.at(begin, reader.size - begin)
        at = near.rfind(MFRO)
        while at >= 0:
            found = _index_before(reader, begin + at + MFRO_BYTES)
            if found is not None:
                return found
            at = near.rfind(MFRO, 0, at)
    return None


def _index_before(reader: Reader, end: int) -> Box | None:
    length = reader.number(end - 4, 4) if end <= reader.size else 0
    if not MFRO_BYTES < length <= end:
        return None
    is_index = reader.at(end - length, 8) == length.to_bytes(4, "big") + b"mfra"
    return read_box(reader, end - length, end) if is_index else None


def _judge_behind(reader: Reader, end: int) -> Verdict | None:
    """What follows the stated end; None where that is more of the media."""
    at = end
    try:
        for box in boxes(reader, end, reader.size):
            if box.kind in MEDIA:
                return None
            at = box.end
    except NoBoxError as error:
        return judge_behind(reader, error.start)
    return judge_behind(reader, at)


def _last_fragment(reader: Reader, index: Box, first: Box) -> tuple[int, bool]:
    """Where the last `moof` starts, according to the index, of which some entries are tried; the
    first one where they lead astray, as they do when a note was put in front of all.
    """
    starts = [first.start]
    for table in boxes(reader, index.body, index.end):
        if table.kind == b"tfra":
            starts += _entries(reader, table)
    heads = [reader.some(start, 8) for start in starts]
    if not all(map(any, heads)):
        raise BrokenError("has a closing index that points to no fragment")
    astray = any(head[4:] != b"moof" for head in heads)
    return (first.start if astray else max(starts)), astray


def _entries(reader: Reader, table: Box) -> Iterator[int]:
    head = reader.at(table.body, 16)
    version, lengths = head[0], head[11]
    count = int.from_bytes(head[12:16], "big")
    if version not in ENTRY_BYTES:
        return
    numbers = sum((lengths >> shift & 3) + 1 for shift in (4, 2, 0))
    entry = ENTRY_BYTES[version] + numbers
    half = ENTRY_BYTES[version] // 2
    for place in spread(count):
        yield reader.number(table.body + 16 + place * entry + half, half)


def _demand_chain(reader: Reader, start: int, stop: int) -> None:
    """From the last fragment on, box follows box to the index."""
    kinds = [box.kind for box in boxes(reader, start, stop)]
    if b"moof" not in kinds[:3] or b"mdat" not in kinds:
        raise BrokenError("has an index of fragments that points to none")


def indexed_end(reader: Reader, first: Box) -> tuple[int, int]:
    """Where the last segment of the index in front (`sidx`) ends, and its size; 0 where none is.

    Layout: ISO/IEC 14496-12, 8.16.3.
    """
    sidx = next((box for box in boxes(reader, 0, first.start) if box.kind == b"sidx"), None)
    if sidx is None:
        return 0, 0
    width = 8 if reader.at(sidx.body, 1)[0] else 4
    offset_at = sidx.body + 12 + width
    anchor = sidx.end + reader.number(offset_at, width)
    count = reader.number(offset_at + width + 2, 2)
    entries = reader.at(offset_at + width + 4, count * 12)
    sizes = [
        int.from_bytes(entries[n : n + 4], "big") & 0x7FFFFFFF for n in range(0, count * 12, 12)
    ]
    return anchor + sum(sizes), sizes[-1] if sizes else 0


def _without_an_end(reader: Reader, first: Box) -> Verdict:
    """Broken where a box is cut, else open-ended. The index may be far from the file's end."""
    last = first
    try:
        for box in boxes(reader, first.start, reader.size):
            if box.open_ended:
                raise BrokenError("has a fragment that is still being written")
            last = box
    except NoBoxError as error:
        if last.kind != b"mfra":
            raise
        return judge_behind(reader, error.start)
    except SpentError:
        pass  # too many fragments to count: no end was stated anyway
    return NotWhole(
        reason="is in fragments and nothing in it says which one is the last", open_ended=True
    )
