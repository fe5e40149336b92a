"""What in a file is essence: all of it but what is known to be metadata or padding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from . import avi, mp4, mp4_fragments, mxf
from . import matroska as mkv
from .mp4_boxes import PADDING, Box, NoBoxError, boxes, inside
from .reading import BrokenError, Reader, SpentError, spread
from .whole import AVI, HEAD, MATROSKA, MP4, MXF, container_of

BLANK = b"\0\t\n\r "
PIECE = 4096
PIECES = 8
NEAR = 256
# An editor that moves the index, or that takes a packet out, makes `free` of the old one's name.
LEFT_OVER = frozenset(b"mvhd trak udta meta moov cmov iods ilst hdlr XMP_".split())
PACKETS = (b"<?xpacket", b"<x:xmpmeta", b"<?xml", b"<rdf:RDF")
IDENTIFIERS = (
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"),  # XMP
    bytes.fromhex("d8fec3d61b0e483c92975828877ec481"),  # C2PA
)


def is_padding(reader: Reader, start: int, stop: int) -> bool:
    return (
        is_blank(reader, start, stop)
        or is_metadata(reader, start)
        or _is_left_over(reader, start, stop)
    )


def is_blank(reader: Reader, start: int, stop: int) -> bool:
    """Zeros and white space, as far as some pieces of a longer part can tell."""
    pieces = -(-(stop - start) // PIECE)
    return not any(
        reader.at(at, min(PIECE, stop - at)).strip(BLANK)
        for at in (start + place * PIECE for place in spread(pieces, PIECES))
    )


def is_metadata(reader: Reader, start: int) -> bool:
    """A packet of XMP or of another kind that is known."""
    head = reader.some(start, NEAR)
    return head.startswith(IDENTIFIERS) or any(packet in head for packet in PACKETS)


def _is_left_over(reader: Reader, start: int, stop: int) -> bool:
    head = reader.some(start, 12)
    size, kind = int.from_bytes(head[:4], "big"), head[4:8]
    if head[8:12] == b"hdlr":  # the body of a `meta` begins with four bytes of its own
        return True
    return 8 <= size <= stop - start and (kind in LEFT_OVER or kind[:1] == bytes([mp4.COPYRIGHT]))


# Of one part of a description so much counts: all of it but for the longest films.
MOST_DESCRIBED = 16 * 1024
MATRIX_AND_SIZE = 44  # what closes a `tkhd`

MP4_INDEXES = frozenset(b"moov udta meta mfra sidx ssix ftyp pnot".split())
AVI_METADATA = {b"id3 ", b"ID3 ", *b"hdrl idx1 INFO Tdat exif _PMX IDIT ISMP DISP".split()}
AVI_METADATA |= set(b"bext iXML cart".split())
AVI_DESCRIBED = frozenset(b"strh strf vprp".split())


# Of Matroska (RFC 9559).
INFO, TIMESTAMP_SCALE, DEFAULT_DURATION = 0x1549A966, 0x2AD7B1, 0x23E383
CHAPTERS, TAGS, ATTACHMENTS, ENCODINGS = 0x1043A770, 0x1254C367, 0x1941A469, 0x6D80
VIDEO, AUDIO, COLOUR, MASTERING, PROJECTION = 0xE0, 0xE1, 0x55B0, 0x55D0, 0x7670
MASTERS, DEEPEST = {VIDEO, AUDIO, COLOUR, MASTERING, PROJECTION}, 4
SEEN_AND_HEARD = {mkv.CODEC, mkv.CODEC_PRIVATE, DEFAULT_DURATION, TIMESTAMP_SCALE}
SEEN_AND_HEARD |= {VIDEO, AUDIO, ENCODINGS}
BESIDE_THE_MEDIA = {mkv.SEEK_HEAD, INFO, mkv.TRACKS, mkv.CUES, CHAPTERS, TAGS, ATTACHMENTS}
BESIDE_THE_MEDIA |= {mkv.VOID, mkv.CRC, mkv.CLUSTER}


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
    find = FINDERS.get(container.name) if container else None
    if find is None:
        return None
    try:
        found = find(reader)
    except (BrokenError, SpentError):
        return None
    ranges = _joined(found.ranges if found else ())
    in_order = all(r.start < r.stop <= reader.size for r in ranges)
    return Essence(ranges, found.described) if found and ranges and in_order else None


def _joined(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """In their order, what touches made one."""
    found: list[Range] = []
    for start, stop in sorted(each for each in ranges if each.start != each.stop):
        if found and start <= found[-1].stop:
            start, stop = found[-1].start, max(stop, found.pop().stop)
        found.append(Range(start, stop))
    return tuple(found)


def _unless_blank(reader: Reader, start: int) -> Iterator[Range]:
    """The rest of the file from `start` on."""
    if not is_blank(reader, start, reader.size):
        yield Range(start, reader.size)


def _of_mp4(reader: Reader) -> Essence | None:
    layout = mp4.layout_of(reader)
    if layout.fragment is None:
        ranges = list(_boxes_that_count(reader, 0, reader.size))
    else:
        start, stop, behind = _fragments(reader, layout.fragment)
        ranges = [Range(start, stop), *_boxes_that_count(reader, 0, start)]
        ranges += _boxes_that_count(reader, behind, reader.size)
    reader.load(layout.moov.start, layout.moov.end)
    parts = list(boxes(reader, layout.moov.body, layout.moov.end))
    described = b"".join(_described(reader, box) for box in parts if box.kind == b"trak")
    return Essence(tuple(ranges), described)


def _fragments(reader: Reader, first: Box) -> tuple[int, int, int]:
    """Start and end of all fragments, and where what is behind them and their index begins."""
    index = mp4_fragments.closing_index(reader)
    if index is not None:
        return first.start, index.start, index.end
    stated, _ = mp4_fragments.indexed_end(reader, first)
    end = stated if first.start < stated <= reader.size else reader.size
    return first.start, end, end


def _boxes_that_count(reader: Reader, start: int, stop: int) -> Iterator[Range]:
    try:
        for box in mp4.top_boxes(reader, start, stop):
            if box.kind == b"mdat":
                yield Range(box.body, box.end)
            elif not _is_beside(reader, box):
                yield Range(box.start, box.end)
    except NoBoxError as error:
        yield from _unless_blank(reader, error.start)


def _is_beside(reader: Reader, box: Box) -> bool:
    if box.kind in PADDING:
        return is_padding(reader, box.body, box.end)
    return box.kind in MP4_INDEXES or (box.kind == b"uuid" and is_metadata(reader, box.body))


def _described(reader: Reader, trak: Box) -> bytes:
    parts = inside(reader, trak)
    mdia = inside(reader, parts.get(b"mdia"))
    table = inside(reader, inside(reader, mdia.get(b"minf")).get(b"stbl"))
    cuts = inside(reader, parts.get(b"edts")).get(b"elst")
    whole = (table.get(b"stsd"), table.get(b"stts"), table.get(b"ctts"), cuts)
    header = parts.get(b"tkhd")
    seen_as = _ending(reader, header, MATRIX_AND_SIZE) if header else b""
    return (
        b"".join(_beginning(reader, box) for box in whole if box)
        + seen_as
        + _rate(reader, mdia.get(b"mdhd"))
    )


def _beginning(reader: Reader, box: Box) -> bytes:
    return reader.at(box.start, min(box.end - box.start, MOST_DESCRIBED))


def _ending(reader: Reader, box: Box, length: int) -> bytes:
    return reader.at(max(box.body, box.end - length), min(length, box.end - box.body))


def _rate(reader: Reader, mdhd: Box | None) -> bytes:
    """The units of time in a second, which follow two dates."""
    if mdhd is None:
        return b""
    dates = 16 if reader.number(mdhd.body, 1) else 8
    return reader.at(mdhd.body + 4 + dates, 4)


def _of_avi(reader: Reader) -> Essence:
    layout = avi.layout_of(reader)
    beside = AVI_METADATA | avi.PADDING
    counting = (c for c in layout.parts if not beside & {c.kind, c.form})
    ranges = [Range(c.body if c.form == b"movi" else c.start, c.end) for c in counting]
    described = [
        reader.at(part.body, min(part.end - part.body, MOST_DESCRIBED))
        for headers in layout.of(b"hdrl")
        for stream in avi.chunks(reader, headers.body, headers.end)
        if stream.form == b"strl"
        for part in avi.chunks(reader, stream.body, stream.end)
        if part.kind in AVI_DESCRIBED
    ]
    return Essence((*ranges, *_unless_blank(reader, layout.end)), b"".join(described))


def _of_matroska(reader: Reader) -> Essence | None:
    """From the first cluster to the last in a row, and what is strange before and behind."""
    segment = mkv.segment_of(reader)
    first = mkv.first_cluster(reader, segment)
    if first is None:
        return None
    end = mkv.stop_of(reader, segment)
    seek = mkv.seek_positions(reader, segment)
    cued = mkv.cued_clusters(reader, segment, seek.get(mkv.CUES))
    parts = [
        *mkv.elements(reader, segment.body, first.start),
        *mkv.elements(reader, max([first.start, *cued]), end),
    ]
    last = max([first.end, *(each.end for each in parts if each.id == mkv.CLUSTER)])
    strange = (each for each in parts if each.id not in BESIDE_THE_MEDIA)
    ranges = (Range(first.start, last), *(Range(each.start, each.end) for each in strange))
    described = _described_tracks(reader, parts)
    return Essence((*ranges, *_unless_blank(reader, end)), described)


def _described_tracks(reader: Reader, parts: list[mkv.Element]) -> bytes:
    """How the tracks are coded and shown, and their units of time; no names, no languages."""
    told: list[mkv.Element] = []
    for part in sorted(each for each in parts if each.id in (INFO, mkv.TRACKS)):
        for each in mkv.elements(reader, part.body, part.end):
            is_track = each.id == mkv.TRACK_ENTRY
            told += mkv.elements(reader, each.body, each.end) if is_track else (each,)
    counting = (each for each in told if each.id in SEEN_AND_HEARD)
    return b"".join(leaf for each in counting for leaf in _leaves(reader, each))


def _leaves(reader: Reader, element: mkv.Element, depth: int = DEEPEST) -> Iterator[bytes]:
    """Ids and values: editors write the same numbers with fewer bytes."""
    if element.id in MASTERS and depth:
        for child in mkv.elements(reader, element.body, element.end):
            yield from _leaves(reader, child, depth - 1)
    elif element.id not in (mkv.VOID, mkv.CRC):
        value = reader.at(element.body, min(element.end - element.body, MOST_DESCRIBED))
        yield element.id.to_bytes(4, "big") + value.lstrip(b"\0")


def _of_mxf(reader: Reader) -> Essence | None:
    """From the first piece of picture or sound to the footer, and items of no known kind."""
    origin = mxf.run_in(reader)
    header = mxf.partition(reader, origin)
    start = mxf.first_essence(reader, header)
    stop = mxf.footer_of(reader, origin, header)
    if start is None or stop is None:
        return None
    footer = mxf.partition(reader, stop)
    before = _dark_items(reader, mxf.behind_metadata(reader, header), start)
    behind = _dark_items(reader, mxf.behind_metadata(reader, footer), reader.size)
    return Essence((*before, Range(start, stop), *behind))


def _dark_items(reader: Reader, at: int, stop: int) -> Iterator[Range]:
    while at < stop:
        try:
            item = mxf.read_item(reader, at)
        except mxf.NoKeyError:
            yield from _unless_blank(reader, at)
            return
        if not item.key.startswith(mxf.METADATA):
            yield Range(at, item.end)
        at = item.end


FINDERS: Mapping[str, Callable[[Reader], Essence | None]] = {
    MP4: _of_mp4,
    AVI: _of_avi,
    MATROSKA: _of_matroska,
    MXF: _of_mxf,
}
