"""The indexes of an AVI: `idx1` behind the media, and OpenDML's super indexes in its header."""

from __future__ import annotations

from collections.abc import Iterator

from .avi_chunks import Chunk, chunks
from .reader import BrokenError, Reader, spread

INDEX_OF_INDEXES = 0
ENTRY = 16
BEHIND = "ends before the last part that its index names"
UNWRITTEN = "has zeros in its index: it is cut or not written yet"
HOLE = "has zeros where its index names a frame: it is cut or not written yet"


def demand_entries(reader: Reader, index: Chunk, movie: Chunk) -> None:
    """A few entries of `idx1` lead to their chunks. BrokenError where they lead to nothing."""
    count = (index.end - index.body) // ENTRY
    entries = [reader.at(index.body + place * ENTRY, ENTRY) for place in spread(count)]
    if not all(map(any, entries)):
        raise BrokenError(UNWRITTEN)
    named = [(each[:4], int.from_bytes(each[8:12], "little")) for each in entries]
    # Entries count from the form of `movi`, or from the file's start; one may fit by chance.
    right = {
        base: sum(reader.some(base + offset, 4) == kind for kind, offset in named)
        for base in (movie.body - 4, 0)
    }
    base = max(right, key=lambda each: right[each])
    for _, offset in named if right[base] else ():
        _demand_chunk(reader, base + offset)


def demand_super_indexes(reader: Reader, headers: Chunk) -> None:
    """All that the super indexes (`indx`) of the streams name is in the file."""
    for stream in chunks(reader, headers.body, headers.end):
        if stream.form == b"strl":
            for part in chunks(reader, stream.body, stream.end):
                if part.kind == b"indx":
                    _demand_named(reader, part)


def _demand_chunk(reader: Reader, start: int) -> None:
    head = reader.some(start, 8)
    if len(head) < 8 or start + 8 + int.from_bytes(head[4:], "little") > reader.size:
        raise BrokenError(HOLE if head and not any(head) else BEHIND)
    if not any(head):
        raise BrokenError(HOLE)


def _demand_named(reader: Reader, indx: Chunk) -> None:
    for offset, size in _named(reader, indx):
        if offset + size > reader.size:
            raise BrokenError(BEHIND)
        if size >= 8 and not any(reader.at(offset, 8)):
            raise BrokenError(HOLE)


def _named(reader: Reader, indx: Chunk) -> Iterator[tuple[int, int]]:
    """Offset and size, of 8 and 4 bytes, of what a super index names."""
    head = reader.at(indx.body, 8)
    if head[3] != INDEX_OF_INDEXES:
        return
    count = min(int.from_bytes(head[4:8], "little"), (indx.end - indx.body - 24) // ENTRY)
    for place in range(max(0, count)):
        entry = reader.at(indx.body + 24 + place * ENTRY, 12)
        yield int.from_bytes(entry[:8], "little"), int.from_bytes(entry[8:], "little")
