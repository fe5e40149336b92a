"""QuickTime and MP4: boxes from the first byte to the last, `moov` and `mdat` among them.

Layout: ISO/IEC 14496-12 and Apple's QuickTime File Format Specification.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from postflow.readiness import mp4_fragments, mp4_samples
from postflow.readiness.mp4_boxes import Box, boxes
from postflow.readiness.mp4_samples import Track
from postflow.readiness.reader import BrokenError, Reader
from postflow.readiness.tail import HINT, TAIL, demand_content, ends_in_zeros
from postflow.readiness.verdicts import Unknown, Verdict, Whole

FIRST_BOXES = frozenset(
    (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"uuid", b"styp", b"sidx")
)
PADDING = frozenset((b"free", b"skip", b"wide"))
# Sample formats that store pixels as they are, so that black may be zeros.
UNCOMPRESSED = frozenset(
    (b"raw ", b"r210", b"R10k", b"R10g", b"r10k", b"b16g", b"b48r", b"b64a", b"BGRA", b"RGBA")
)
# H.264 and HEVC: a NAL unit never ends in a zero byte (ITU-T H.264 and H.265, 7.4.1 and 7.4.2).
NEVER_ENDS_IN_ZEROS = frozenset((b"avc1", b"avc3", b"hvc1", b"hev1"))


class _Layout(NamedTuple):
    moov: Box | None
    media: bool
    last: Box | None
    fragment: Box | None


def begins_like_mp4(head: bytes) -> bool:
    return head[4:8] in FIRST_BOXES


def judge(reader: Reader) -> Verdict:
    """Whether the boxes end exactly where the file does, with nothing left unwritten."""
    layout = _layout(boxes(reader, 0, reader.size))
    if layout.moov is None:
        raise BrokenError("has no index (moov) yet: its writer has not finished it")
    if layout.moov.open_ended:
        raise BrokenError("has an index (moov) that is still being written")
    if layout.fragment is not None or _is_fragmented(reader, layout.moov):
        return mp4_fragments.judge(reader, layout.fragment)
    if not layout.media:
        raise BrokenError("has an index but no media (mdat) in it")
    return _judge_end(reader, layout.moov, layout.last)


def _layout(found: Iterator[Box]) -> _Layout:
    """The top level, read as far as the first fragment."""
    moov, media, last = None, False, None
    for box in found:
        if box.kind == b"moof":
            return _Layout(moov, media, last, box)
        moov = box if box.kind == b"moov" else moov
        media = media or box.kind == b"mdat"
        last = last if box.kind in PADDING else box
    return _Layout(moov, media, last, None)


def _is_fragmented(reader: Reader, moov: Box) -> bool:
    """A `moov` with `mvex` announces fragments, even where none has come yet."""
    return any(child.kind == b"mvex" for child in boxes(reader, moov.body, moov.end))


def _judge_end(reader: Reader, moov: Box, last: Box | None) -> Verdict:
    """The closing box is there; whether its content is, too."""
    if last is None or last.kind == b"moov":
        return _judge_index(reader, moov)
    if last.kind != b"mdat":
        return _explained(ends_in_zeros(reader, last.end), last)
    if last.open_ended or ends_in_zeros(reader, last.end, HINT):
        return _judge_by_samples(reader, moov)
    return Whole()


def _judge_index(reader: Reader, moov: Box) -> Verdict:
    """A track's tables never end in zeros; what cameras note behind the tracks may."""
    inside = [box for box in boxes(reader, moov.body, moov.end) if box.kind not in PADDING]
    if not inside:
        raise BrokenError("has an empty index (moov)")
    if inside[-1].kind == b"trak":
        demand_content(reader, inside[-1].end, HINT)
    return _explained(ends_in_zeros(reader, inside[-1].end, HINT), inside[-1])


def _explained(in_zeros: bool, last: Box) -> Verdict:
    if not in_zeros:
        return Whole()
    return Unknown(reason=f"ends in zeros within '{last.name}', which may belong there")


def _judge_by_samples(reader: Reader, moov: Box) -> Verdict:
    """For media that closes the file and either ends in zeros or does not say how long it is.

    Silent sound ends in zeros and is whole; a picture does not, unless it is uncompressed black.
    """
    tracks = mp4_samples.tracks(reader, moov)
    if any(track.end > reader.size for track in tracks):
        raise BrokenError("ends before the last frame that its index (moov) names")
    pictures = [track for track in tracks if track.is_picture]
    if not pictures:
        return Unknown(reason="ends in zeros and has no picture to tell whether they belong there")
    return _judge_picture(reader, max(pictures, key=lambda track: track.end))


def _judge_picture(reader: Reader, last: Track) -> Verdict:
    if last.format in UNCOMPRESSED and ends_in_zeros(reader, last.end):
        return Unknown(reason="ends in zeros, which may be black in an uncompressed picture")
    demand_content(reader, last.end, HINT if last.format in NEVER_ENDS_IN_ZEROS else TAIL)
    return Whole()
