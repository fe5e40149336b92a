"""What a `moov` says about where each track's last sample ends."""

from __future__ import annotations

from typing import NamedTuple

from postflow.readiness.mp4_boxes import Box, boxes, find
from postflow.readiness.reader import Reader


class Track(NamedTuple):
    """`format` is the codec's code; `end` is the offset behind the last chunk's last sample."""

    is_picture: bool
    format: bytes
    end: int


def tracks(reader: Reader, moov: Box) -> list[Track]:
    """The tracks with samples in this file."""
    found = (_track(reader, box) for box in boxes(reader, moov.body, moov.end) if _is_trak(box))
    return [track for track in found if track is not None]


def _is_trak(box: Box) -> bool:
    return box.kind == b"trak"


def _track(reader: Reader, trak: Box) -> Track | None:
    handler = find(reader, trak, b"mdia", b"hdlr")
    table = find(reader, trak, b"mdia", b"minf", b"stbl")
    if handler is None or table is None:
        return None
    end = _end_of_samples(reader, {box.kind: box for box in boxes(reader, table.body, table.end)})
    if end is None:
        return None
    is_picture = reader.at(handler.body + 8, 4) == b"vide"
    description = find(reader, table, b"stsd")
    format_ = reader.at(description.body + 12, 4) if description else b""
    return Track(is_picture, format_, end)


def _end_of_samples(reader: Reader, table: dict[bytes, Box]) -> int | None:
    offset = _last_chunk_offset(reader, table)
    chunks, sizes = table.get(b"stsc"), table.get(b"stsz")
    if offset is None or chunks is None or sizes is None:
        return None
    runs = reader.number(chunks.body + 4, 4)
    if not runs:
        return None
    in_chunk = reader.number(chunks.body + 8 + (runs - 1) * 12 + 4, 4)
    return offset + _last_sizes(reader, sizes, in_chunk)


def _last_chunk_offset(reader: Reader, table: dict[bytes, Box]) -> int | None:
    for kind, width in ((b"co64", 8), (b"stco", 4)):
        if kind in table:
            count = reader.number(table[kind].body + 4, 4)
            return (
                reader.number(table[kind].body + 8 + (count - 1) * width, width) if count else None
            )
    return None


def _last_sizes(reader: Reader, stsz: Box, samples: int) -> int:
    """Bytes in the last `samples` samples."""
    fixed, count = reader.number(stsz.body + 4, 4), reader.number(stsz.body + 8, 4)
    if fixed:
        return fixed * samples
    samples = min(samples, count)
    sizes = reader.at(stsz.body + 12 + (count - samples) * 4, samples * 4)
    return sum(int.from_bytes(sizes[at : at + 4], "big") for at in range(0, len(sizes), 4))
