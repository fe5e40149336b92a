"""AVI: RIFF chunks from the first byte to the last; OpenDML adds further ones of the form AVIX.

Layout: Microsoft's "AVI RIFF File Reference" and "OpenDML AVI File Format Extensions" 1.02.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from postflow.readiness.reader import BrokenError, Reader
from postflow.readiness.tail import TAIL, demand_content
from postflow.readiness.verdicts import Verdict, Whole

INDEX_OF_INDEXES = 0
FOUR_ENTRIES = 64  # of idx1, 16 bytes each, none of which is ever all zeros
PADDING = frozenset((b"JUNK", b"PAD "))


class Chunk(NamedTuple):
    """One chunk: `form` is the type of a RIFF or LIST, offsets in bytes from the file's start."""

    kind: bytes
    form: bytes
    start: int
    body: int
    end: int


def begins_like_avi(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"AVI "


def judge(reader: Reader) -> Verdict:
    """Whether the RIFF chunks end where the file does and hold what the indexes name."""
    top = list(_chunks(reader, 0, reader.size))
    inside = list(_chunks(reader, top[0].body, top[0].end))
    forms = {chunk.form for chunk in inside}
    if b"hdrl" not in forms or b"movi" not in forms:
        raise BrokenError("has no media (movi) in it yet")
    if _indexed_end(reader, inside) > reader.size:
        raise BrokenError("ends before the last part that its index names")
    _demand_written_end(reader, top[-1])
    return Whole()


def _chunks(reader: Reader, start: int, stop: int) -> Iterator[Chunk]:
    """The chunks from `start`, which have to end exactly at `stop`, but for a byte of padding."""
    while start < stop:
        chunk = _chunk(reader, start, stop)
        yield chunk
        start = chunk.end + (chunk.end - chunk.body & 1)


def _chunk(reader: Reader, start: int, stop: int) -> Chunk:
    head = reader.at(start, min(12, stop - start))
    if len(head) < 8 or not any(head[:4]):
        raise BrokenError("has no chunk where one should be: it is cut or still being copied")
    kind, size = head[:4], int.from_bytes(head[4:8], "little")
    is_list = kind in (b"RIFF", b"LIST")
    if is_list and size < 4:
        raise BrokenError("has a list without a size: its writer has not finished it")
    if start + 8 + size > stop:
        raise BrokenError(f"ends in the middle of '{kind.decode('ascii', 'replace')}'")
    body = start + 12 if is_list else start + 8
    return Chunk(kind, head[8:12] if is_list else b"", start, body, start + 8 + size)


def _indexed_end(reader: Reader, inside: list[Chunk]) -> int:
    """How far the super indexes (`indx`) of the streams reach; 0 where there are none."""
    headers = next(chunk for chunk in inside if chunk.form == b"hdrl")
    ends = [0]
    for stream in _chunks(reader, headers.body, headers.end):
        if stream.form == b"strl":
            parts = _chunks(reader, stream.body, stream.end)
            ends += [_super_index_end(reader, part) for part in parts if part.kind == b"indx"]
    return max(ends)


def _super_index_end(reader: Reader, indx: Chunk) -> int:
    """The furthest end of an entry: 8 bytes offset, 4 bytes size, 4 bytes duration."""
    head = reader.at(indx.body, 8)
    if head[3] != INDEX_OF_INDEXES:
        return 0
    entries = reader.at(indx.body + 24, int.from_bytes(head[4:8], "little") * 16)
    pairs = (entries[at : at + 12] for at in range(0, len(entries), 16))
    ends = (int.from_bytes(p[:8], "little") + int.from_bytes(p[8:], "little") for p in pairs)
    return max(ends, default=0)


def _demand_written_end(reader: Reader, last: Chunk) -> None:
    """The end is not zeros, unless they are the inside of a padding chunk."""
    if last.kind in PADDING:
        return
    parts = list(_chunks(reader, last.body, last.end))
    if parts and parts[-1].kind not in PADDING:
        length = FOUR_ENTRIES if parts[-1].kind == b"idx1" else TAIL
        demand_content(reader, last.end, length)
