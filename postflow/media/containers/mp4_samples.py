"""What a `moov` says about where the samples of its tracks are."""

from __future__ import annotations

from typing import NamedTuple

from .mp4_boxes import Box, inside
from .reading import BrokenError, Reader, spread

BEHIND = "ends before the last frame that its index (moov) names"
HOLE = "has zeros where its index (moov) names a frame: it is cut or not written yet"
SELF_CONTAINED = 1

# Codecs of which no frame begins with eight zero bytes.
BEGIN_WITH_CONTENT = frozenset(
    (
        *(b"avc1", b"avc3", b"hvc1", b"hev1", b"mp4v", b"m2v1", b"jpeg", b"mjpa", b"png "),
        *(b"ap4h", b"ap4x", b"apch", b"apcn", b"apcs", b"apco", b"AVdn", b"AVdh"),
    )
)


class Sample(NamedTuple):
    start: int
    end: int


class Track(NamedTuple):
    """`format` is the codec's code. `end`: behind its last sample at least; `reach`: at most.

    `last` are its last sample and the one before, as far as they are known. No `end`: it has no
    samples in this file; `elsewhere`: they are in another one.
    """

    is_picture: bool
    format: bytes
    end: int = 0
    reach: int | None = None
    last: tuple[Sample, ...] = ()
    elsewhere: bool = False


def track(reader: Reader, trak: Box) -> Track:
    """One track; BrokenError where its tables name what is not there."""
    media = inside(reader, inside(reader, trak).get(b"mdia"))
    parts = inside(reader, media.get(b"minf"))
    table = inside(reader, parts.get(b"stbl"))
    handler, description = media.get(b"hdlr"), table.get(b"stsd")
    found = Track(
        is_picture=handler is not None and reader.some(handler.body + 8, 4) == b"vide",
        format=reader.some(description.body + 12, 4) if description else b"",
    )
    chunks = _Chunks(reader, table)
    if not chunks.count:
        return found
    if not _is_self_contained(reader, parts):
        return found._replace(elsewhere=True)
    _demand_samples(reader, chunks, found)
    return _measured(reader, chunks, table, found)


class _Chunks:
    """The offsets of a track's chunks, and how many samples the last ones hold."""

    def __init__(self, reader: Reader, table: dict[bytes, Box]) -> None:
        self._reader = reader
        self._width = 8 if b"co64" in table else 4
        self._box = table.get(b"co64") or table.get(b"stco")
        self._runs = table.get(b"stsc")
        self.count = reader.number(self._box.body + 4, 4) if self._box else 0

    def offset(self, index: int) -> int:
        """Never 0: that is where the file's own header stands."""
        if self._box is None or index < 0:
            raise BrokenError("has a damaged index (moov)")
        found = self._reader.number(self._box.body + 8 + index * self._width, self._width)
        if not found:
            raise BrokenError("has zeros in its index (moov): it is cut or not written yet")
        return found

    def samples(self, index: int) -> int | None:
        """How many samples one of the last two chunks holds; None where nothing says so."""
        runs = self._reader.number(self._runs.body + 4, 4) if self._runs else 0
        for run in range(runs - 1, max(-1, runs - 3), -1):
            at = self._runs.body + 8 + run * 12 if self._runs else 0
            if self._reader.number(at, 4) <= index + 1:
                return self._reader.number(at + 4, 4)
        return None


def _is_self_contained(reader: Reader, parts: dict[bytes, Box]) -> bool:
    references = inside(reader, parts.get(b"dinf")).get(b"dref")
    if references is None:
        return True
    return bool(reader.number(references.body + 16, 4) & SELF_CONTAINED)


def _demand_samples(reader: Reader, chunks: _Chunks, found: Track) -> None:
    """Chunks all over the file are where the index says, by a few of them."""
    demanding = found.is_picture and found.format in BEGIN_WITH_CONTENT
    for index in spread(chunks.count):
        offset = chunks.offset(index)
        if offset >= reader.size:
            raise BrokenError(BEHIND)
        if demanding and not any(reader.some(offset, 8)):
            raise BrokenError(HOLE)


def _measured(reader: Reader, chunks: _Chunks, table: dict[bytes, Box], found: Track) -> Track:
    last = chunks.count - 1
    start, samples, sizes = chunks.offset(last), chunks.samples(last), table.get(b"stsz")
    if samples == 0:
        raise BrokenError("has zeros in its index (moov): it is cut or not written yet")
    if sizes is None or samples is None:
        return found._replace(end=start)
    fixed, count = reader.number(sizes.body + 4, 4), reader.number(sizes.body + 8, 4)
    if fixed:
        end = start + fixed * samples
        reach = max(end, start + _sound_bytes(reader, found, table.get(b"stsd"), samples))
        return found._replace(end=end, reach=reach, last=_fixed(end, fixed, samples))
    samples = min(samples, count)
    tail = _sizes(reader, sizes, count, samples)
    end = start + sum(tail)
    known = [Sample(end - tail[-1], end)] if tail else []
    known += _before(reader, chunks, sizes, count, tail, start)
    return found._replace(end=end, reach=end, last=tuple(known))


def _fixed(end: int, size: int, samples: int) -> tuple[Sample, ...]:
    last = Sample(end - size, end)
    return (last, Sample(end - 2 * size, end - size)) if samples > 1 else (last,)


def _sizes(reader: Reader, stsz: Box, stop: int, samples: int) -> list[int]:
    """The sizes of the `samples` samples before number `stop`."""
    data = reader.at(stsz.body + 12 + (stop - samples) * 4, samples * 4)
    return [int.from_bytes(data[at : at + 4], "big") for at in range(0, len(data), 4)]


def _before(
    reader: Reader, chunks: _Chunks, stsz: Box, count: int, tail: list[int], start: int
) -> list[Sample]:
    """The sample before the last one: in the same chunk, else the last of the chunk before."""
    if len(tail) > 1:
        end = start + sum(tail[:-1])
        return [Sample(end - tail[-2], end)]
    samples = chunks.samples(chunks.count - 2) if chunks.count > 1 else None
    if not samples or not tail or samples > count - 1:
        return []
    sizes = _sizes(reader, stsz, count - 1, samples)
    end = chunks.offset(chunks.count - 2) + sum(sizes)
    return [Sample(end - sizes[-1], end)]


def _sound_bytes(reader: Reader, found: Track, stsd: Box | None, samples: int) -> int:
    """Bytes of so many samples of sound by its description: tables count some as one byte each."""
    entry = reader.some(stsd.body + 8, 48) if stsd and not found.is_picture else b""
    if len(entry) < 36:
        return 0
    number = {at: int.from_bytes(entry[at : at + 2], "big") for at in (16, 24, 26)}
    if number[16] == 1 and len(entry) == 48:
        per_packet = int.from_bytes(entry[36:40], "big")
        return -(-samples // per_packet) * int.from_bytes(entry[44:48], "big") if per_packet else 0
    return samples * number[24] * number[26] // 8
