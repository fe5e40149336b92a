"""Where in a file its pictures and its sound are, and what they are described as."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from postflow.readiness import avi, ebml, klv, matroska, mp4, mp4_fragments, mxf
from postflow.readiness.containers import HEAD, container_of
from postflow.readiness.mp4_boxes import Box, boxes, inside
from postflow.readiness.reader import BrokenError, Reader, SpentError

# Of one track's description so much counts: all of it but for the longest films.
MOST_DESCRIBED = 16 * 1024


class Range(NamedTuple):
    """Offsets in bytes from the start of the file."""

    start: int
    stop: int


class Essence(NamedTuple):
    """`described`: codecs, colours, times and cuts, without dates and places in the file."""

    ranges: tuple[Range, ...]
    described: bytes = b""


def essence_of(reader: Reader, suffix: str) -> Essence | None:
    """None where the container is not understood: then all of the file counts."""
    container = container_of(reader.some(0, HEAD), suffix)
    find = FINDERS.get(container.judge) if container else None
    if find is None:
        return None
    try:
        found = find(reader)
    except (BrokenError, SpentError):
        return None
    in_order = all(r.start < r.stop <= reader.size for r in found.ranges) if found else False
    return found if found and found.ranges and in_order else None


def _of_mp4(reader: Reader) -> Essence | None:
    layout = mp4.layout_of(reader)
    if layout.fragment is not None:
        index = mp4_fragments.closing_index(reader)
        return Essence((Range(layout.fragment.start, index.start),)) if index else None
    reader.load(layout.moov.start, layout.moov.end)
    parts = list(boxes(reader, layout.moov.body, layout.moov.end))
    described = b"".join(_described(reader, box) for box in parts if box.kind == b"trak")
    ranges = (Range(box.body, min(box.end, layout.end)) for box in layout.media)
    return Essence(tuple(each for each in ranges if each.start < each.stop), described)


def _described(reader: Reader, trak: Box) -> bytes:
    parts = inside(reader, trak)
    media = inside(reader, inside(reader, parts.get(b"mdia")).get(b"minf"))
    table = inside(reader, media.get(b"stbl"))
    cuts = inside(reader, parts.get(b"edts")).get(b"elst")
    found = (table.get(b"stsd"), table.get(b"stts"), cuts)
    return b"".join(
        reader.at(box.start, min(box.end - box.start, MOST_DESCRIBED)) for box in found if box
    )


def _of_avi(reader: Reader) -> Essence:
    movies = avi.layout_of(reader).of(b"movi")
    return Essence(tuple(Range(each.body, each.end) for each in movies))


def _of_matroska(reader: Reader) -> Essence | None:
    """From the first cluster to the last, in a row."""
    segment = matroska.segment_of(reader)
    first = matroska.first_cluster(reader, segment) if segment.sized else None
    if first is None:
        return None
    seek = matroska.seek_positions(reader, segment)
    cued = matroska.cued_clusters(reader, segment, seek.get(matroska.CUES))
    stop = first.start
    for element in ebml.elements(reader, max([first.start, *cued]), segment.end):
        if element.id != matroska.CLUSTER:
            break
        stop = element.end
    return Essence((Range(first.start, stop),))


def _of_mxf(reader: Reader) -> Essence | None:
    """From the first piece of picture or sound to the footer."""
    origin = mxf.run_in(reader)
    header = klv.partition(reader, origin)
    start = mxf.first_essence(reader, header)
    stop = mxf.footer_of(reader, origin, header)
    return None if start is None or stop is None else Essence((Range(start, stop),))


FINDERS: Mapping[Callable[[Reader], object], Callable[[Reader], Essence | None]] = {
    mp4.judge: _of_mp4,
    avi.judge: _of_avi,
    matroska.judge: _of_matroska,
    mxf.judge: _of_mxf,
}
