"""Small movies, AVIs and Matroska files built by hand, for layouts that ffmpeg does not make."""

from __future__ import annotations

import struct
from collections.abc import Sequence

FRAME = b"\0\0\0\x5c\x65" + b"picture" * 13
FRAMES = (FRAME,) * 4


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", kind, len(body)) + body + bytes(len(body) % 2)


def element(id_: str, body: bytes, *, sized: bool = True) -> bytes:
    size = len(body).to_bytes(8, "big") if sized else b"\xff" * 8
    return bytes.fromhex(id_) + b"\x01" + size[1:] + body


FTYP = box(b"ftyp", b"qt  \0\0\2\0qt  ")


def trak(
    offset: int,
    frames: Sequence[bytes] = FRAMES,
    *,
    codec: bytes = b"avc1",
    handler: bytes = b"vide",
    reference: bytes = box(b"url ", b"\0\0\0\1"),
    last: bytes = b"",
) -> bytes:
    """One track, one frame a chunk from `offset` on; `last` closes its table of samples.

    `reference` is where its media is: in this file.
    """
    starts = [offset + sum(map(len, frames[:n])) for n in range(len(frames))]
    sizes = [len(frame) for frame in frames]
    full = bytes(4)
    stbl = (
        box(b"stsd", full + struct.pack(">I", 1) + box(codec, bytes(7) + b"\1" + bytes(70))),
        box(b"stsc", full + struct.pack(">IIII", 1, 1, 1, 1)),
        box(b"stsz", full + struct.pack(f">II{len(sizes)}I", 0, len(sizes), *sizes)),
        box(b"stco", full + struct.pack(f">I{len(starts)}I", len(starts), *starts)),
        last,
    )
    entries = struct.pack(">I", reference.count(b"url ") + reference.count(b"alis"))
    dinf = box(b"dinf", box(b"dref", full + entries + reference))
    minf = box(b"minf", dinf + box(b"stbl", b"".join(stbl)))
    hdlr = box(b"hdlr", full + bytes(4) + handler + bytes(12))
    return box(b"trak", box(b"tkhd", b"t" * 84) + box(b"mdia", hdlr + minf))


ELSEWHERE = box(b"alis", bytes(4) + b"another volume, another file")


def moov(*traks: bytes, behind: bytes = b"", promised: int = 0) -> bytes:
    """`promised`: so many tracks its header says, if not what there is."""
    mvhd = box(b"mvhd", b"m" * 96 + struct.pack(">I", (promised or len(traks)) + 1))
    return box(b"moov", mvhd + b"".join(traks) + behind)


def movie(
    frames: Sequence[bytes] = FRAMES, *, codec: bytes = b"avc1", behind: bytes = b""
) -> bytes:
    """Media first, its index last; `behind` closes the index."""
    media = box(b"mdat", b"".join(frames))
    return FTYP + media + moov(trak(len(FTYP) + 8, frames, codec=codec), behind=behind)


def faststart(
    frames: Sequence[bytes] = FRAMES,
    *,
    codec: bytes = b"avc1",
    behind: bytes = b"",
    sized: bool = True,
) -> bytes:
    """Its index first, media last."""
    length = len(moov(trak(0, frames, codec=codec), behind=behind))
    index = moov(trak(len(FTYP) + length + 8, frames, codec=codec), behind=behind)
    media = box(b"mdat", b"".join(frames))
    return FTYP + index + (media if sized else bytes(4) + media[4:])


def avi(
    *frames: bytes,
    index: bool = True,
    second_riff_at: int | None = None,
    slip: int = 0,
    from_start: bool = False,
) -> bytes:
    """One stream; with a super index that also names a part of a second RIFF.

    `slip` is added to the size that the RIFF states; the index counts from the file's start.
    """
    entries = b"" if second_riff_at is None else struct.pack("<QII", second_riff_at, 2000, 1)
    indx = chunk(
        b"indx", struct.pack("<HBBI4s3I", 4, 0, 0, len(entries) // 16, b"00dc", 0, 0, 0) + entries
    )
    strl = chunk(b"LIST", b"strl" + chunk(b"strh", b"vids" + bytes(52)) + indx)
    hdrl = chunk(b"LIST", b"hdrl" + chunk(b"avih", bytes(56)) + strl)
    pieces = [chunk(b"00dc", frame) for frame in frames]
    starts = [4 + sum(map(len, pieces[:n])) for n in range(len(pieces))]
    form = len(b"RIFF....AVI " + hdrl + b"LIST....") if from_start else 0
    movi = chunk(b"LIST", b"movi" + b"".join(pieces))
    rows = [
        b"00dc" + struct.pack("<III", 16, form + start, len(frame))
        for start, frame in zip(starts, frames, strict=True)
    ]
    body = b"AVI " + hdrl + movi + (chunk(b"idx1", b"".join(rows)) if index else b"")
    return b"RIFF" + struct.pack("<I", len(body) + slip) + body


EBML = element("1a45dfa3", b"\x42\x82\x84webm")
CLUSTER = element("1f43b675", element("a3", b"picture" * 99))
CUES = element("1c53bb6b", element("bb", b"\xb3\x81\x05"))


def segment(*parts: bytes, sized: bool = True) -> bytes:
    return EBML + element("18538067", b"".join(parts), sized=sized)


def seek_head(to: int) -> bytes:
    """A table of contents that says where the Cues are."""
    seek = element("53ab", bytes.fromhex("1c53bb6b")) + element("53ac", to.to_bytes(8, "big"))
    return element("114d9b74", element("4dbb", seek))


def cues(*clusters: int) -> bytes:
    """An index that names clusters by their distance from the Segment's first byte."""
    points = (
        element("bb", element("b3", b"\0") + element("b7", element("f1", at.to_bytes(8, "big"))))
        for at in clusters
    )
    return element("1c53bb6b", b"".join(points))
