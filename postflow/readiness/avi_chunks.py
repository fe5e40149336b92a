"""The chunks that AVI files are made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .reader import BrokenError, Reader, name_of

PADDING = frozenset((b"JUNK", b"PAD ", b"JUNQ", b"FLLR"))
LISTS = frozenset((b"RIFF", b"LIST"))
KNOWN = PADDING | LISTS | {b"idx1", b"indx", b"avih", b"strh", b"strf", b"strn", b"odml", b"vprp"}
STREAM = frozenset((b"dc", b"db", b"wb", b"tx", b"pc"))


class Chunk(NamedTuple):
    """One chunk: `form` is the type of a RIFF or LIST, offsets in bytes from the file's start."""

    kind: bytes
    form: bytes
    start: int
    body: int
    end: int


def read_chunk(reader: Reader, start: int, stop: int | None = None) -> Chunk | None:
    """The chunk at `start`; None where none is. BrokenError where one is cut by the file's end.

    A RIFF is not asked to end: its size is wrong in many files.
    """
    head = reader.some(start, 12)
    kind, size = head[:4], int.from_bytes(head[4:8], "little")
    if len(head) < 8 or not _is_plausible(kind):
        return None
    is_list = kind in LISTS
    if is_list and size < 4:
        raise BrokenError("has a list without a size: its writer has not finished it")
    body, end = start + (12 if is_list else 8), start + 8 + size
    if kind != b"RIFF" and end > (reader.size if stop is None else stop):
        if kind not in KNOWN:
            return None
        part = f"{reader.size - start:,} of {size + 8:,} bytes"
        name = name_of(head[8:12] if is_list else kind)
        raise BrokenError(f"ends in the middle of '{name}': {part}")
    return Chunk(kind, head[8:12] if is_list else b"", start, body, end)


def chunks(reader: Reader, start: int, stop: int) -> Iterator[Chunk]:
    """The chunks inside another one."""
    while start + 8 <= stop:
        chunk = read_chunk(reader, start, stop)
        if chunk is None:
            return
        yield chunk
        start = chunk.end + (chunk.end - chunk.start & 1)


def is_stream(chunk: Chunk) -> bool:
    """Is it a piece of picture or sound, which has its place inside `movi`?"""
    return chunk.form == b"rec " or (chunk.kind[:2].isdigit() and chunk.kind[2:] in STREAM)


def _is_plausible(kind: bytes) -> bool:
    return all(32 <= byte < 127 for byte in kind)
