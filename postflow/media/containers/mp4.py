"""QuickTime and MP4: boxes from the first byte to the last, `moov` and `mdat` among them.

Layout: ISO/IEC 14496-12 and Apple's QuickTime File Format Specification.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from postflow.language import N_

from . import mp4_fragments
from .mp4_boxes import (
    BEGIN_WITH_CONTENT,
    BEHIND,
    FIRST_BOXES,
    HOLE,
    PADDING,
    Box,
    NoBoxError,
    Track,
    boxes,
    track_of,
)
from .reading import (
    HINT,
    TAIL,
    BrokenError,
    NoMediaError,
    NotWhole,
    Reader,
    Unknown,
    Verdict,
    Whole,
    all_zeros,
    ends_in_zeros,
    judge_behind,
)

# Their pictures end in content, but for encoders that fill up to a constant rate.
END_IN_CONTENT = frozenset(b"avc1 avc3 hvc1 hev1".split())
ALL_TRACKS = 0xFFFFFFFF
COPYRIGHT = 0xA9


class Layout(NamedTuple):
    """The top level, as far as the first fragment. `end`: behind the last box that is one."""

    moov: Box
    media: tuple[Box, ...]
    last: Box | None
    fragment: Box | None
    end: int


class _Index(NamedTuple):
    """What is in a `moov`. `odd`: it ends in so many bytes that belong to no box."""

    parts: tuple[Box, ...]
    tracks: tuple[Track, ...]
    odd: int

    def has(self, kind: bytes) -> bool:
        return any(part.kind == kind for part in self.parts)

    @property
    def measured(self) -> list[Track]:
        return [track for track in self.tracks if track.end]


def begins_like_mp4(head: bytes) -> bool:
    return head[4:8] in FIRST_BOXES


def judge(reader: Reader) -> Verdict:
    """Whether the boxes end where the file does, and what the index names is there."""
    layout = layout_of(reader)
    if layout.fragment is not None:
        return mp4_fragments.judge(reader, layout.fragment)
    if not layout.media:
        raise BrokenError("has an index but no media (mdat) in it")
    index = _index(reader, layout.moov)
    if not index.measured and index.has(b"mvex"):
        raise BrokenError("announces fragments of which none is there yet")
    _demand_frames(reader, layout.moov, index)
    found = [
        _judge_promise(reader, layout, index),
        _judge_end(reader, layout, index),
        judge_behind(reader, layout.end),
    ]
    if layout.moov.open_ended:
        found.append(Unknown(reason="does not say how long it is"))
    if index.odd:
        odd = N_("has {odd:,} odd bytes at the end of its index (moov)", odd=index.odd)
        found.append(Unknown(reason=odd))
    return next((each for each in found if not isinstance(each, Whole)), Whole())


def layout_of(reader: Reader) -> Layout:
    """BrokenError where a box is cut, or where there is no index."""
    moov = last = fragment = None
    media: list[Box] = []
    end = 0
    try:
        for box in top_boxes(reader, 0, reader.size):
            if box.kind == b"moof":
                fragment = box
                break
            moov = box if box.kind == b"moov" else moov
            media += [box] if box.kind == b"mdat" else []
            last = last if box.kind in PADDING else box
            end = box.end
    except NoBoxError:
        if moov is None or not media:
            if not begins_like_mp4(reader.some(0, 16)):
                raise NoMediaError("does not begin as QuickTime or MP4 does") from None
            raise
    if moov is None:
        raise BrokenError("has no index (moov) yet: its writer has not finished it")
    return Layout(moov, tuple(media), last, fragment, end)


def top_boxes(reader: Reader, start: int, stop: int) -> Iterator[Box]:
    for box in boxes(reader, start, stop):
        if not all(32 <= byte < 127 or byte == COPYRIGHT for byte in box.kind):
            raise NoBoxError(box.start, "has no box where one should be")
        yield box


def _index(reader: Reader, moov: Box) -> _Index:
    reader.load(moov.start, moov.end)
    parts: list[Box] = []
    odd = 0
    try:
        for part in boxes(reader, moov.body, moov.end):
            parts.append(part)  # noqa: PERF402 - those before a fault count
    except BrokenError:
        odd = moov.end - (parts[-1].end if parts else moov.body)
        if _lacks_tracks(reader, parts):
            raise
    if not parts:
        raise BrokenError("has an empty index (moov)")
    if moov.open_ended and _lacks_tracks(reader, parts):
        raise BrokenError("has an index (moov) that is still being written")
    tracks = tuple(track_of(reader, part) for part in parts if part.kind == b"trak")
    return _Index(tuple(parts), tracks, odd)


def _lacks_tracks(reader: Reader, parts: list[Box]) -> bool:
    """The header (mvhd) closes with the number that the next track would get."""
    header = next((part for part in parts if part.kind == b"mvhd"), None)
    promised = reader.number(header.end - 4, 4) if header else ALL_TRACKS
    return promised == ALL_TRACKS or sum(p.kind == b"trak" for p in parts) < promised - 1


def _demand_frames(reader: Reader, moov: Box, index: _Index) -> None:
    if index.has(b"cmov"):
        return
    for track in index.measured:
        start = track.last[0].start if track.last else track.end - 1
        in_the_index = max(start, moov.start) < min(track.end, moov.end)
        if track.end > reader.size or in_the_index:
            raise BrokenError(BEHIND)
    elsewhere = [track for track in index.tracks if track.elsewhere]
    if any(t.is_picture for t in elsewhere) and not any(t.is_picture for t in index.measured):
        raise BrokenError("has no picture in it: that is in another file")
    if not index.measured:
        if elsewhere:
            raise BrokenError("has only an index in it: its media is in other files")
        raise BrokenError("has no frame in it: its export ended before the first one")


def _judge_promise(reader: Reader, layout: Layout, index: _Index) -> Verdict:
    """A `moov` with `mvex` announces fragments. Where none has come, an empty index of them, or
    a moov that was written last, says that none was needed.
    """
    if not index.has(b"mvex") or mp4_fragments.closing_index(reader) is not None:
        return Whole()
    if layout.moov.start > layout.media[0].start:
        return Unknown(reason="announces fragments and has none, which may be all there is")
    return NotWhole(reason="announces fragments of which none is there yet", open_ended=True)


def _judge_end(reader: Reader, layout: Layout, index: _Index) -> Verdict:
    """The closing box is there; whether its content is, too."""
    last = layout.last
    if last is None or last.kind == b"moov":
        tail = [part for part in index.parts if part.kind not in PADDING][-1]
        return Whole() if tail.kind == b"trak" else _judge_note(reader, tail)
    if last.kind != b"mdat":
        return _judge_note(reader, last)
    if last.open_ended:
        return _judge_growing(reader, index)
    return _judge_media(reader, index, last.end)


def _judge_note(reader: Reader, last: Box) -> Verdict:
    if last.kind == b"mfra" or not ends_in_zeros(reader, last.end, HINT):
        return Whole()
    odd = N_("ends in zeros within '{name}', which may belong there", name=last.name)
    return Unknown(reason=odd)


def _judge_growing(reader: Reader, index: _Index) -> Verdict:
    """Media without a length: it ends with its last sample, or goes on being written."""
    if any(track.reach is None for track in index.measured) or not index.measured:
        return Unknown(reason="does not say how long it is")
    end = max(track.reach or 0 for track in index.measured)
    if end < reader.size and not all_zeros(reader, end, reader.size):
        raise BrokenError("goes on behind the last frame that its index names: it is being written")
    found = _judge_media(reader, index, min(end, reader.size))
    return found if isinstance(found, Unknown) else judge_behind(reader, end)


def _judge_media(reader: Reader, index: _Index, end: int) -> Verdict:
    """Silent sound ends in zeros and is whole; a picture mostly does not."""
    pictures = [track for track in index.measured if track.is_picture and track.last]
    if not ends_in_zeros(reader, end, HINT):
        return Whole()
    if not pictures:
        return Unknown(reason="ends in zeros, which may be silence: it has no picture to tell")
    return _judge_picture(reader, max(pictures, key=lambda track: track.end))


def _judge_picture(reader: Reader, track: Track) -> Verdict:
    if not ends_in_zeros(reader, track.end, HINT):
        return Whole()
    if track.format in BEGIN_WITH_CONTENT and not any(reader.some(track.last[0].start, 8)):
        raise BrokenError(HOLE)
    ends = [ends_in_zeros(reader, s.end, min(TAIL, s.end - s.start)) for s in track.last]
    if ends[0] and not all(ends[1:]) and track.format in END_IN_CONTENT:
        raise BrokenError("ends in zeros, unlike the frame before: it is cut or not written yet")
    return Unknown(reason="has a last picture that ends in zeros, as some encoders write them")
