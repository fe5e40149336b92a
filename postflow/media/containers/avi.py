"""AVI: RIFF chunks from the first byte to the last; OpenDML adds further ones of the form AVIX.

Layout: Microsoft's "AVI RIFF File Reference" and "OpenDML AVI File Format Extensions" 1.02. The
sizes of RIFF chunks are wrong in many files, so the chunks inside decide where it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from postflow.language import N_

from .reading import (
    HINT,
    TAIL,
    TERMINATOR,
    BrokenError,
    NoMediaError,
    Reader,
    Unknown,
    Verdict,
    Whole,
    ends_in_zeros,
    judge_behind,
    name_of,
    spread,
)

PADDING = frozenset((b"JUNK", b"PAD ", b"JUNQ", b"FLLR"))
LISTS = frozenset((b"RIFF", b"LIST"))
KNOWN = PADDING | LISTS | set(b"idx1 indx avih strh strf strn odml vprp".split())
# The lists that media is in.
FORMS = frozenset(b"AVI ,AVIX,hdrl,strl,movi,rec ".split(b","))
STREAM = frozenset(b"dc db wb tx pc".split())


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
        if head[8:12] in FORMS:
            raise BrokenError("has a list without a size: its writer has not finished it")
        is_list = False
    body, end = start + (12 if is_list else 8), start + 8 + size
    if kind != b"RIFF" and end > (reader.size if stop is None else stop):
        if kind not in KNOWN - PADDING:
            return None
        raise BrokenError(
            N_(
                "ends in the middle of '{name}': {there:,} of {size:,} bytes",
                name=name_of(head[8:12] if is_list else kind),
                there=reader.size - start,
                size=size + 8,
            )
        )
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


# So much larger than its chunks a RIFF may say it is: some writers count its header too.
SLIP = 16


class Layout(NamedTuple):
    """`parts`: the chunks inside the RIFFs, up to `end`; `stated`: the end that a RIFF states."""

    parts: tuple[Chunk, ...]
    end: int
    stated: int

    def of(self, kind: bytes) -> list[Chunk]:
        """The chunks or lists of a kind or form."""
        return [part for part in self.parts if kind in (part.kind, part.form)]


def begins_like_avi(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"AVI "


def judge(reader: Reader) -> Verdict:
    """Whether the chunks end where the file does and hold what the indexes name."""
    layout = layout_of(reader)
    movies = layout.of(b"movi")
    if not layout.of(b"hdrl") or not movies:
        raise BrokenError("has no media (movi) in it yet")
    if all(each.end <= each.body for each in movies):
        raise BrokenError("has no frame in it: its export ended before the first one")
    if layout.stated > max(layout.end, reader.size) + SLIP:
        missing = layout.stated - reader.size
        short = N_("ends {missing:,} bytes before the end that it states", missing=missing)
        raise BrokenError(short)
    demand_super_indexes(reader, layout.of(b"hdrl")[0])
    for index in layout.of(b"idx1"):
        demand_entries(reader, index, movies[0])
    found = _judge_end(reader, layout)
    return judge_behind(reader, layout.end) if isinstance(found, Whole) else found


def layout_of(reader: Reader) -> Layout:
    """All chunks in their order, whatever RIFF they are in. BrokenError where one is cut."""
    if not begins_like_avi(reader.some(0, 12)):
        raise NoMediaError("does not begin as AVI does")
    parts: list[Chunk] = []
    at = end = stated = 0
    while at < reader.size:
        at = _behind_zeros(reader, at)
        chunk = read_chunk(reader, at) if at < reader.size else None
        if chunk is None:
            _demand_content(reader, end, stated)
            break
        if chunk.kind == b"RIFF":
            stated, at = chunk.end, chunk.body
            continue
        if is_stream(chunk):
            if reader.size <= stated + SLIP:  # its writer has come back to say how long it is
                break
            raise BrokenError("goes on behind the end of its media: it is still being written")
        parts.append(chunk)
        end = min(chunk.end, reader.size)
        at = chunk.end + (chunk.end - chunk.start & 1)
    return Layout(tuple(parts), end, stated)


def _behind_zeros(reader: Reader, at: int) -> int:
    """Some writers leave a few zero bytes between two chunks."""
    near = reader.some(at, TERMINATOR + 4)
    zeros = len(near) - len(near.lstrip(b"\0"))
    return at + zeros if zeros <= TERMINATOR else at


def _demand_content(reader: Reader, end: int, stated: int) -> None:
    """What is no chunk may follow the stated end, but not stand before it."""
    inside = min(stated, reader.size) - end
    if inside > SLIP and ends_in_zeros(reader, min(stated, reader.size), min(inside, TAIL)):
        raise BrokenError("has zeros where a chunk should be: it is cut or not written yet")


def _judge_end(reader: Reader, layout: Layout) -> Verdict:
    """An index behind the media is written last; without one the media itself has to tell."""
    last = layout.parts[-1]
    if last.kind in PADDING or last.kind == b"idx1":
        return Whole()
    if ends_in_zeros(reader, layout.end, HINT):
        return Unknown(reason="ends in zeros, which may be black or silence: it has no index")
    return Whole()


INDEX_OF_INDEXES = 0
ENTRY = 16
BEHIND = N_("ends before the last part that its index names")
UNWRITTEN = N_("has zeros in its index: it is cut or not written yet")
HOLE = N_("has zeros where its index names a frame: it is cut or not written yet")


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
        if offset + size > reader.size + SLIP:
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
