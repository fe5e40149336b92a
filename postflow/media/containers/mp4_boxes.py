"""The boxes ("atoms") of QuickTime and MP4 files, and what a `moov` says of its tracks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from postflow.language import N_

from .reading import TERMINATOR, BrokenError, Reader, ends_in_zeros, name_of, spread

FIRST_BOXES = frozenset(b"ftyp moov mdat wide free skip pnot uuid styp sidx".split())
PADDING = frozenset(b"free skip wide junk".split())
# What a file has at its top level. But for padding, one that is cut is proof of missing bytes.
KNOWN = FIRST_BOXES | PADDING | frozenset(b"ssix moof mfra meta emsg prft udta".split())
# Codecs of which no frame begins with eight zero bytes.
BEGIN_WITH_CONTENT = frozenset(
    b"avc1 avc3 hvc1 hev1 mp4v m2v1 jpeg mjpa ap4h ap4x apch apcn apcs apco AVdn AVdh".split()
) | {b"png "}
PCM = frozenset(b"NONE,raw ,twos,sowt,in24,in32,fl32,fl64,lpcm,ulaw,alaw".split(b","))
BEHIND = N_("ends before the last frame that its index (moov) names")
HOLE = N_("has zeros where its index (moov) names a frame: it is cut or not written yet")
ZEROS = N_("has zeros in its index (moov): it is cut or not written yet")
SELF_CONTAINED = 1


class Box(NamedTuple):
    """One box: offsets in bytes from the start of the file, `body` behind the header."""

    kind: bytes
    start: int
    body: int
    end: int
    open_ended: bool = False

    @property
    def name(self) -> str:
        return name_of(self.kind)


class NoBoxError(BrokenError):
    """What stands at `start` is no box that one could know."""

    def __init__(self, start: int, text: str) -> None:
        super().__init__(text)
        self.start = start


def boxes(reader: Reader, start: int, stop: int) -> Iterator[Box]:
    """The boxes from `start`, which have to end exactly at `stop`, but for a few closing zeros.

    NoBoxError where no box is, BrokenError where one is cut.
    """
    while start < stop:
        if stop - start <= TERMINATOR and ends_in_zeros(reader, stop, stop - start):
            return
        box = read_box(reader, start, stop)
        yield box
        start = box.end


def read_box(reader: Reader, start: int, stop: int) -> Box:
    """The box at `start`; one of size 0 reaches to `stop`."""
    head = reader.at(start, min(16, stop - start))
    if len(head) < 8:
        raise NoBoxError(start, "ends in the middle of a box header")
    size, kind, body = int.from_bytes(head[:4], "big"), head[4:8], start + 8
    if size == 0 and not any(kind):
        raise NoBoxError(start, "has zeros where a box should be: it is cut or not written yet")
    if size == 0 and kind in KNOWN:
        return Box(kind, start, body, stop, open_ended=True)
    if size == 1:
        size, body = int.from_bytes(head[8:16], "big"), start + 16
    if size < body - start:
        raise NoBoxError(start, "has a damaged box header")
    if start + size > stop:
        part = N_(
            "ends in the middle of '{name}': {there:,} of {size:,} bytes",
            name=name_of(kind),
            there=stop - start,
            size=size,
        )
        raise BrokenError(part) if kind in KNOWN - PADDING else NoBoxError(start, part)
    return Box(kind, start, body, start + size)


def inside(reader: Reader, parent: Box | None) -> dict[bytes, Box]:
    """The children of a box by their kind, the first of each; none for None."""
    found: dict[bytes, Box] = {}
    for box in boxes(reader, parent.body, parent.end) if parent else ():
        found.setdefault(box.kind, box)
    return found


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


def track_of(reader: Reader, trak: Box) -> Track:
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
    if _is_elsewhere(reader, parts, description):
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
            raise BrokenError(ZEROS)
        return found

    def samples(self, index: int) -> int | None:
        """How many samples one of the last two chunks holds; None where nothing says so."""
        runs = self._reader.number(self._runs.body + 4, 4) if self._runs else 0
        for run in range(runs - 1, max(-1, runs - 3), -1):
            at = self._runs.body + 8 + run * 12 if self._runs else 0
            if self._reader.number(at, 4) <= index + 1:
                return self._reader.number(at + 4, 4)
        return None


def _is_elsewhere(reader: Reader, parts: dict[bytes, Box], description: Box | None) -> bool:
    """Does the data reference that the track uses name another file?"""
    references = inside(reader, parts.get(b"dinf")).get(b"dref")
    if references is None or description is None:
        return False
    used = max(1, int.from_bytes(reader.some(description.body + 22, 2), "big"))
    entries = boxes(reader, references.body + 8, references.end)
    entry = next(islice(entries, used - 1, used), None)
    if entry is None or reader.number(entry.body, 4) & SELF_CONTAINED:
        return False
    # Some writers forget the flag; a place of another file they do not name.
    return any(reader.some(entry.body + 4, max(0, min(16, entry.end - entry.body - 4))))


def _demand_samples(reader: Reader, chunks: _Chunks, found: Track) -> None:
    """Chunks all over the file are where the index says, by a few of them."""
    demanding = found.is_picture and found.format in BEGIN_WITH_CONTENT
    for index in spread(chunks.count):
        offset = chunks.offset(index)
        if offset > reader.size:  # one without bytes may stand at the very end
            raise BrokenError(BEHIND)
        if demanding and offset < reader.size and not any(reader.some(offset, 8)):
            raise BrokenError(HOLE)


def _measured(reader: Reader, chunks: _Chunks, table: dict[bytes, Box], found: Track) -> Track:
    last = chunks.count - 1
    start, samples, sizes = chunks.offset(last), chunks.samples(last), table.get(b"stsz")
    if samples == 0:
        raise BrokenError(ZEROS)
    if sizes is None or samples is None:
        return found._replace(end=start + 1)
    fixed, count = reader.number(sizes.body + 4, 4), reader.number(sizes.body + 8, 4)
    if fixed and found.is_picture:
        end = start + fixed * samples
        return found._replace(end=end, reach=end, last=_last_two(end, [fixed] * min(samples, 2)))
    if fixed:
        described = _sound_bytes(reader, found, table.get(b"stsd"), samples)
        least, most = _sound_limits(fixed, samples, described, is_pcm=found.format in PCM)
        return found._replace(end=start + least, reach=start + most)
    lengths = _lengths(reader, sizes, count, min(samples, count))
    end = start + sum(lengths)
    known = _last_two(end, lengths)
    if len(known) == 1 and chunks.count > 1:
        known += _closing_sample(reader, chunks, last - 1, sizes, count - 1)
    return found._replace(end=end, reach=end, last=known)


def _last_two(end: int, lengths: list[int]) -> tuple[Sample, ...]:
    """Of the samples of these lengths, the last of which ends at `end`; the last one first."""
    found = []
    for length in reversed(lengths[-2:]):
        found.append(Sample(end - length, end))
        end -= length
    return tuple(found)


def _lengths(reader: Reader, stsz: Box, stop: int, samples: int) -> list[int]:
    """The sizes of the `samples` samples before number `stop`."""
    data = reader.at(stsz.body + 12 + (stop - samples) * 4, samples * 4)
    return [int.from_bytes(data[at : at + 4], "big") for at in range(0, len(data), 4)]


def _closing_sample(
    reader: Reader, chunks: _Chunks, index: int, stsz: Box, stop: int
) -> tuple[Sample, ...]:
    """The last sample of a chunk, which is the one before number `stop`."""
    samples = chunks.samples(index)
    if not samples or samples > stop:
        return ()
    lengths = _lengths(reader, stsz, stop, samples)
    return _last_two(chunks.offset(index) + sum(lengths), lengths)[:1]


def _sound_limits(fixed: int, samples: int, described: int, *, is_pcm: bool) -> tuple[int, int]:
    """Bytes at least and at most: tables may count samples that are compressed to less."""
    tabled = fixed * samples
    if is_pcm and described:
        return min(tabled, described), max(tabled, described)
    return (described or 1) if fixed == 1 and not is_pcm else tabled, max(tabled, described)


def _sound_bytes(reader: Reader, found: Track, stsd: Box | None, samples: int) -> int:
    """Bytes of so many samples of sound by its description, 0 where it does not tell: tables count
    some as one byte each.
    """
    entry = reader.some(stsd.body + 8, 48) if stsd else b""
    if len(entry) < 36:
        return 0
    version, channels, bits = (int.from_bytes(entry[at : at + 2], "big") for at in (16, 24, 26))
    if version == 1 and len(entry) == 48:
        per_packet = int.from_bytes(entry[36:40], "big")
        return -(-samples // per_packet) * int.from_bytes(entry[44:48], "big") if per_packet else 0
    return samples * channels * bits // 8 if version == 0 and found.format in PCM else 0
