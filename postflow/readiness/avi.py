"""AVI: RIFF chunks from the first byte to the last; OpenDML adds further ones of the form AVIX.

Layout: Microsoft's "AVI RIFF File Reference" and "OpenDML AVI File Format Extensions" 1.02. The
sizes of RIFF chunks are wrong in many files, so the chunks inside decide where it ends.
"""

from __future__ import annotations

from typing import NamedTuple

from . import avi_index
from .avi_chunks import PADDING, Chunk, is_stream, read_chunk
from .reader import BrokenError, NoMediaError, Reader
from .tail import HINT, TAIL, TERMINATOR, ends_in_zeros, judge_behind
from .verdicts import Unknown, Verdict, Whole

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
        raise BrokenError(f"ends {missing:,} bytes before the end that it states")
    avi_index.demand_super_indexes(reader, layout.of(b"hdrl")[0])
    for index in layout.of(b"idx1"):
        avi_index.demand_entries(reader, index, movies[0])
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
