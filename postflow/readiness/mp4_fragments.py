"""Fragmented MP4: `moof`+`mdat` again and again, and an index that says which one was the last.

A killed encoder mostly leaves such a file at the end of a fragment, where it is sound and yet not
finished. So an end has to be stated: by `mfra` at the end or by `sidx` at the front.
"""

from __future__ import annotations

from postflow.readiness.mp4_boxes import Box, boxes, read_box
from postflow.readiness.reader import BrokenError, Reader, SpentError
from postflow.readiness.tail import HINT, demand_content
from postflow.readiness.verdicts import NotWhole, Verdict, Whole

MFRO_BYTES = 16
ENTRY_BYTES = {0: 8, 1: 16}


def judge(reader: Reader, first: Box | None) -> Verdict:
    """`first` is the file's first `moof`, or None where only the announcement is there."""
    if first is None:
        raise BrokenError("announces fragments of which none is there yet")
    index = _closing_index(reader)
    if index is not None:
        _demand_chain(reader, _last_fragment(reader, index, first), index.start)
        return Whole()
    last = _last_indexed(reader, first)
    if last is not None:
        _demand_chain(reader, last, reader.size)
        demand_content(reader, length=HINT)
        return Whole()
    return _without_an_end(reader, first)


def _closing_index(reader: Reader) -> Box | None:
    """The `mfra` that the `mfro` in the file's last 16 bytes points back to."""
    mfro = reader.at(reader.size - MFRO_BYTES, MFRO_BYTES)
    length = int.from_bytes(mfro[12:], "big")
    if mfro[:8] != b"\0\0\0\x10mfro" or not MFRO_BYTES < length <= reader.size:
        return None
    box = read_box(reader, reader.size - length, reader.size)
    return box if box.kind == b"mfra" and box.end == reader.size else None


def _last_fragment(reader: Reader, index: Box, first: Box) -> int:
    """Where the last `moof` starts, according to the index."""
    tables = (box for box in boxes(reader, index.body, index.end) if box.kind == b"tfra")
    return max((_last_entry(reader, table) for table in tables), default=first.start)


def _last_entry(reader: Reader, table: Box) -> int:
    head = reader.at(table.body, 16)
    version, lengths = head[0], head[11]
    count = int.from_bytes(head[12:16], "big")
    if not count or version not in ENTRY_BYTES:
        return 0
    numbers = sum((lengths >> shift & 3) + 1 for shift in (4, 2, 0))
    entry = ENTRY_BYTES[version] + numbers
    half = ENTRY_BYTES[version] // 2
    return reader.number(table.body + 16 + (count - 1) * entry + half, half)


def _demand_chain(reader: Reader, start: int, stop: int) -> None:
    """From the last fragment on, box follows box to the index."""
    kinds = [box.kind for box in boxes(reader, start, stop)]
    if kinds[:1] != [b"moof"] or b"mdat" not in kinds:
        raise BrokenError("has a closing index that points to no fragment")


def _last_indexed(reader: Reader, first: Box) -> int | None:
    """Where the last segment starts, if a `sidx` in front accounts for all bytes to the end."""
    for box in boxes(reader, 0, reader.size):
        if box.start >= first.start:
            return None
        if box.kind == b"sidx":
            end, last = _indexed_end(reader, box)
            if end == reader.size and last:
                return end - last
    return None


def _indexed_end(reader: Reader, sidx: Box) -> tuple[int, int]:
    """Where the last segment of a `sidx` ends, and its size (ISO/IEC 14496-12, 8.16.3)."""
    width = 8 if reader.at(sidx.body, 1)[0] else 4
    offset_at = sidx.body + 12 + width
    anchor = sidx.end + reader.number(offset_at, width)
    count = reader.number(offset_at + width + 2, 2)
    entries = reader.at(offset_at + width + 4, count * 12)
    starts = range(0, len(entries), 12)
    sizes = [int.from_bytes(entries[at : at + 4], "big") & 0x7FFFFFFF for at in starts]
    return anchor + sum(sizes), sizes[-1] if sizes else 0


def _without_an_end(reader: Reader, first: Box) -> Verdict:
    """Broken where a box is cut, else open-ended."""
    try:
        for box in boxes(reader, first.start, reader.size):
            if box.open_ended:
                raise BrokenError("has a fragment that is still being written")
    except SpentError:
        pass  # too many fragments to count: no end was stated anyway
    return NotWhole(
        reason="is in fragments and nothing in it says which one is the last", open_ended=True
    )
