"""Layouts that real files have and standards do not: what waits, what goes, and what is refused.

A refusal needs proof that bytes are missing. What is merely odd waits longer and goes with a note.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from postflow.media.containers import whole
from postflow.media.containers.reading import (
    LONGEST_REMARK,
    NotWhole,
    Reader,
    Unknown,
    Verdict,
    Whole,
)
from postflow.media.containers.whole import verdict
from tests.media.movies import (
    CLUSTER,
    CUES,
    EBML,
    ELSEWHERE,
    FRAME,
    FRAMES,
    FTYP,
    avi,
    box,
    chunk,
    cues,
    element,
    faststart,
    moov,
    movie,
    seek_head,
    segment,
    trak,
)

Clip = Callable[[str], Path]

ZEROS = bytes(5000)
PIECE = len(chunk(b"00dc", FRAME))
TRAILER = os.urandom(3000) + b"\x07\x0c\0\0" + b"magic of a camera"
XMP = box(b"uuid", b"x" * 16 + b"<x:xmpmeta/>" * 9)
MVEX = box(b"mvex", box(b"trex", bytes(24)))
PADDED = FRAME[:20] + bytes(9000)
BLACK = bytes(9000)
# As long, with its header, as the media is from the file's start.
CHANCE = (b"picture." * 30)[: avi(FRAME).index(b"movi") - 8]


def one() -> int:
    """How far the first cluster is from the Segment's first byte, behind a table of contents."""
    return len(seek_head(0))


def cued(*, first: int | None = None, to: int | None = None, zeros: int = 0) -> bytes:
    head = seek_head(one() + 2 * len(CLUSTER))
    places = [first or one(), one() + len(CLUSTER) if to is None else to]
    second = CLUSTER[:-zeros] + bytes(zeros) if zeros else CLUSTER
    return segment(head, CLUSTER, second, cues(*places))


PARTS = cued()[len(EBML) + 12 :]


def unsized(last: bytes) -> bytes:
    """A box that reaches to the end of the file."""
    return bytes(4) + last[4:]


def fragmented(note: bytes = b"", hole: bool = False) -> bytes:
    """Two fragments and their index, which does not know of a note in front of them."""
    start = FTYP + moov(behind=MVEX)
    piece = box(b"moof", b"header" * 9) + box(b"mdat", FRAME)
    places = (struct.pack(">IIBBB", 0, at, 1, 1, 1) for at in (len(start), len(start + piece)))
    table = box(b"tfra", struct.pack(">IIII", 0, 1, 0, 2) + b"".join(places))
    index = table + struct.pack(">I4sII", 16, b"mfro", 0, len(table) + 24)
    return start + note + piece + (bytes(len(piece)) if hole else piece) + box(b"mfra", index)


def compressed_sound() -> bytes:
    """As QuickTime has it: its table counts samples of one byte, of which 64 are 34 bytes."""
    silence = len(moov(trak(0, (b"s" * 34,))))
    told = bytearray(
        trak(len(FTYP) + silence + 8, (b"s" * 34,), codec=b"ima4", handler=b"soun")
        .replace(struct.pack(">IIII", 1, 1, 1, 1), struct.pack(">IIII", 1, 1, 64, 1))
        .replace(struct.pack(">III", 0, 1, 34), struct.pack(">III", 1, 64, 34))
    )
    entry = told.index(b"ima4") + 4
    told[entry + 8 : entry + 10] = b"\0\1"
    told[entry + 28 : entry + 40] = struct.pack(">III", 64, 34, 34)
    return FTYP + moov(bytes(told)) + box(b"mdat", b"s" * 34)


# name of the file, content
WHOLE = {
    "smallest.mov": movie(),
    "index first.mov": faststart(),
    "unknown first box.mov": movie().replace(b"ftyp", b"jojo"),
    "zero terminator.mov": movie() + bytes(4),
    "zero terminator in the index.mov": movie(behind=bytes(4)),
    "free in the last track.mov": FTYP
    + box(b"mdat", FRAME)
    + moov(trak(len(FTYP) + 8, (FRAME,), last=box(b"free", bytes(200)))),
    "table of zeros last.mov": FTYP
    + box(b"mdat", FRAME)
    + moov(trak(len(FTYP) + 8, (FRAME,), last=box(b"sdtp", bytes(120)))),
    "note behind.mov": movie() + XMP,
    "media of no stated length.mov": faststart(sized=False),
    "no fragment needed.mp4": faststart(behind=MVEX)
    + box(b"mfra", box(b"mfro", struct.pack(">II", 0, 24))),
    "compressed index.mov": FTYP + box(b"mdat", FRAME) + box(b"moov", box(b"cmov", b"zlib" * 9)),
    "index.avi": avi(FRAME, FRAME),
    "no index.avi": avi(FRAME, FRAME, index=False),
    "places from the start, one fits by chance.avi": avi(CHANCE, FRAME, from_start=True),
    "size of the file.avi": avi(FRAME, FRAME, slip=8),
    "size far too small.avi": avi(FRAME, FRAME, slip=-70),
    "a reference without place and flag.mp4": FTYP
    + box(b"mdat", FRAME)
    + moov(trak(len(FTYP) + 8, (FRAME,), reference=box(b"url ", bytes(5)))),
    "the second reference counts.mov": FTYP
    + box(b"mdat", FRAME)
    + moov(trak(len(FTYP) + 8, (FRAME,), reference=ELSEWHERE + box(b"alis", b"\0\0\0\1"))).replace(
        b"avc1" + bytes(7) + b"\1", b"avc1" + bytes(7) + b"\2"
    ),
    "an empty chunk at the very end.mov": faststart((*FRAMES, b"")),
    "compressed sound.mov": compressed_sound(),
    "closing list without a size.avi": avi(FRAME) + b"LIST" + bytes(4),
    "closing junk.avi": avi(FRAME) + chunk(b"JUNK", ZEROS),
    "terminator.mkv": segment(CLUSTER) + bytes(9),
    "index.mkv": cued(),
    "two segments.mkv": segment(CLUSTER) + segment(CLUSTER),
}

DOUBTFUL = {
    "preallocated and left.mov": movie() + ZEROS,
    "trailer.mp4": movie() + TRAILER,
    "trailer, index first.mp4": faststart() + TRAILER,
    "note of zeros.mov": movie(behind=box(b"udta", b"GPS" + ZEROS)),
    "index with zeros behind the tracks.mov": movie(behind=bytes(40)),
    "fragments announced.mp4": movie(behind=MVEX),
    "index without a length.mov": FTYP + box(b"mdat", FRAME) + unsized(moov(trak(28, (FRAME,)))),
    "a note longer than its index.mov": movie(behind=b"\0\0\x03\xe7udta" + b"note"),
    "closing padding is cut.mov": movie() + box(b"free", ZEROS)[:-9],
    "index of fragments of before a note was put in front.mp4": fragmented(note=XMP),
    "media's list too short.avi": avi(FRAME, FRAME, index=False).replace(
        struct.pack("<I", 4 + 2 * PIECE) + b"movi", struct.pack("<I", 4 + PIECE) + b"movi"
    ),
    "closing padding is cut.avi": avi(FRAME) + chunk(b"JUNK", b"junk" * 99)[:-9],
    "index counts from somewhere else.mkv": cued(first=one() + 9, to=one() + len(CLUSTER) + 9),
    "last part longer than its Segment.mkv": segment(PARTS[:-2]) + PARTS[-2:],
    "closing padding is cut.mkv": segment(CLUSTER) + b"\xec\x85abc",
    "raw and black.mov": faststart((BLACK, BLACK), codec=b"24BG"),
    "unknown codec, black.mov": faststart((FRAME, BLACK), codec=b"JoJo"),
    "filled to its rate.mov": faststart((FRAME, PADDED), codec=b"xdv3"),
    "H.264 filled to its rate.mov": faststart((PADDED, PADDED)),
    "one frame of H.264 with zeros.mov": faststart((FRAME + bytes(100),)),
    "zeros behind, no stated length.mov": faststart(sized=False) + ZEROS,
    "no index, black.avi": avi(FRAME, BLACK, index=False),
    "trailer.avi": avi(FRAME) + TRAILER,
    "zeros behind.avi": avi(FRAME) + ZEROS,
    "trailer.mkv": segment(CLUSTER) + TRAILER,
    "zeros behind.mkv": segment(CLUSTER) + ZEROS,
    "silent end.mkv": segment(element("1f43b675", element("a3", BLACK))),
    "contents name a place behind the end.mkv": segment(seek_head(2**64 - 49), CLUSTER),
    "stream.mp4": (b"G" + b"p" * 187) * 9,
    "stream.mov": bytes.fromhex("000001ba") + b"program" * 99,
    "camera's stream.mp4": (b"time" + b"G" + b"p" * 187) * 9,
    "Windows Media.avi": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") * 99,
    "other.r3d": b"raw" * 5000 + bytes(4096),
}

PROVEN = {
    "no frame.mov": (movie(()), "no frame"),
    "no track.mov": (FTYP + box(b"mdat") + moov(), "no frame"),
    "elsewhere.mov": (FTYP + box(b"mdat") + moov(trak(99, reference=ELSEWHERE)), "another file"),
    "sound elsewhere.mov": (
        FTYP + box(b"mdat") + moov(trak(99, reference=ELSEWHERE, handler=b"soun")),
        "other files",
    ),
    "picture elsewhere, sound here.mov": (
        FTYP
        + box(b"mdat", b"".join(FRAMES))
        + moov(trak(9, reference=ELSEWHERE), trak(len(FTYP) + 8, handler=b"soun", codec=b"sowt")),
        "no picture in it",
    ),
    "index without a length lacks a track.mov": (
        FTYP + box(b"mdat", FRAME) + unsized(moov(trak(28, (FRAME,)), promised=2)),
        "still being written",
    ),
    "only an index.mov": (FTYP + moov(trak(99)), "no media"),
    "cut, its size mended.mov": (faststart()[: -len(FRAME)], "in the middle of 'mdat'"),
    "frames behind the end.mov": (FTYP + box(b"mdat", FRAME) + moov(trak(28)), "last frame"),
    "offset behind the end.mov": (
        FTYP + box(b"mdat", FRAME) + moov(trak(1 << 30, (FRAME,))),
        "last frame",
    ),
    "hole in the middle.mov": (movie((FRAME, bytes(len(FRAME)), FRAME, FRAME)), "zeros where"),
    "zeros in a table.mov": (FTYP + box(b"mdat", FRAME) + moov(trak(0, (FRAME,))), "zeros in its"),
    "second track of zeros.mov": (
        FTYP
        + box(b"mdat", FRAME)
        + moov(trak(28, (FRAME,)), trak(28, (FRAME,)))[:-400]
        + bytes(400),
        "",
    ),
    "last frame not written.mov": (faststart((FRAME, FRAME, PADDED)), "unlike the frame before"),
    "still recorded.mov": (faststart(sized=False) + FRAME, "goes on"),
    "hole.mp4": (fragmented(hole=True), "points to no fragment"),
    "note is cut.mov": (movie() + XMP[:-9], "in the middle of 'uuid'"),
    "no fragment yet.mp4": (faststart(behind=MVEX), "fragments"),
    "no frame.avi": (avi(), "no frame"),
    "hole.avi": (avi(FRAME, FRAME).replace(chunk(b"00dc", FRAME), bytes(8 + len(FRAME)), 1), ""),
    "index of zeros.avi": (avi(FRAME, FRAME)[:-16] + bytes(16), "zeros"),
    "states more.avi": (avi(FRAME, slip=500), "500 bytes before"),
    "still recorded.avi": (avi(FRAME, index=False) + chunk(b"00dc", FRAME), "goes on"),
    "no frame.mkv": (segment(CUES), "no frame"),
    "index names a place behind the end.mkv": (cued(to=1 << 20), "Cues"),
    "hole.mkv": (cued(zeros=len(CLUSTER)), "zeros"),
    "text.mov": (b"This is no movie at all. " * 99, "does not begin as QuickTime"),
    "text.avi": (b"This is no movie at all. " * 99, "does not begin as AVI"),
    "text.mkv": (b"This is no movie at all. " * 99, "does not begin as Matroska"),
    "text.mxf": (b"This is no movie at all. " * 99, "no MXF header"),
}


def judged(tmp_path: Path, name: str, content: bytes) -> Verdict:
    path = tmp_path / name
    path.write_bytes(content)
    return verdict(path)


@pytest.mark.parametrize("name", WHOLE)
def test_a_layout_that_real_files_have_is_whole(tmp_path: Path, name: str) -> None:
    assert judged(tmp_path, name, WHOLE[name]) == Whole()


@pytest.mark.parametrize("name", DOUBTFUL)
def test_what_is_odd_is_a_suspicion_and_no_refusal(tmp_path: Path, name: str) -> None:
    assert isinstance(judged(tmp_path, name, DOUBTFUL[name]), Unknown)


@pytest.mark.parametrize("name", PROVEN)
def test_what_names_bytes_that_are_not_there_is_refused(tmp_path: Path, name: str) -> None:
    content, says = PROVEN[name]
    found = judged(tmp_path, name, content)
    assert isinstance(found, NotWhole)
    assert says in found.reason
    assert found.no_media == name.startswith("text")


@pytest.mark.parametrize("name", [*WHOLE, *DOUBTFUL])
def test_whatever_is_cut_anywhere_raises_nothing_and_prints(tmp_path: Path, name: str) -> None:
    content = {**WHOLE, **DOUBTFUL}[name]
    for cut in range(1, len(content), max(1, len(content) // 41)):
        for end in (b"", b"\xff" * 8, bytes(16), b"\x7f" * 300):
            found = judged(tmp_path, name, content[:cut] + end)
            assert isinstance(found, Whole) or found.reason.isprintable()


def test_bytes_behind_each_kind_of_real_clip_are_a_suspicion(copy: Clip) -> None:
    for name in (
        "h264.mov",
        "faststart.mov",
        "fragmented.mp4",
        "op1a.mxf",
        "mpeg4.avi",
        "h264.mkv",
    ):
        path = copy(name)
        with path.open("ab") as file:
            file.write(TRAILER)
        assert isinstance(verdict(path), Unknown), name


def test_zeros_far_behind_the_index_of_fragments_are_a_suspicion(copy: Clip) -> None:
    path = copy("fragmented.mp4")
    os.truncate(path, path.stat().st_size + 100_000)
    assert "zeros behind its end" in getattr(verdict(path), "reason", "")


def test_an_mxf_that_ends_within_a_key_is_refused(copy: Clip) -> None:
    for name in ("op1a.mxf", "opatom.mxf"):
        path = copy(name)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) - int.from_bytes(data[-4:], "big") + 10])
        found = verdict(path)
        assert isinstance(found, NotWhole), name
        assert "middle of a key" in found.reason


def test_a_note_behind_the_index_of_fragments_is_nothing_missing(copy: Clip) -> None:
    path = copy("fragmented.mp4")
    with path.open("ab") as file:
        file.write(XMP)
    assert verdict(path) == Whole()


def test_a_cut_mxf_says_what_is_missing(copy: Clip) -> None:
    """Also one whose header says that its footer is further away than any file is long."""
    path = copy("op1a.mxf")
    data = bytearray(path.read_bytes())
    path.write_bytes(data[: len(data) // 2])
    found = verdict(path)
    assert isinstance(found, NotWhole)
    assert "before its footer" in found.reason
    data[44:52] = b"\xff" * 8
    path.write_bytes(data[: len(data) // 2])
    assert isinstance(verdict(path), NotWhole)


def test_an_mxf_with_an_open_header_is_known_by_its_footer(copy: Clip) -> None:
    """ST 377-1, 6.2.4: an open header need not know where the footer is."""
    path = copy("op1a.mxf")
    data = bytearray(path.read_bytes())
    data[14], data[44:52] = 1, bytes(8)
    path.write_bytes(data[: -int.from_bytes(data[-4:], "big")])
    assert verdict(path) == Whole()


def test_an_mxf_index_that_leads_astray_is_a_suspicion(copy: Clip) -> None:
    """Its bytes are there; some writers count from the file's first byte, whatever comes first."""
    path = copy("op1a.mxf")
    data = bytearray(path.read_bytes())
    pack = len(data) - int.from_bytes(data[-4:], "big")
    places = [range(at + 4, at + 12) for at in range(pack + 17, len(data) - 4, 12)]

    def moved(by: int, which: Sequence[range]) -> bytes:
        changed = bytearray(data)
        for at in which:
            place = int.from_bytes(changed[at.start : at.stop], "big")
            changed[at.start : at.stop] = (place + by).to_bytes(8, "big")
        return bytes(changed)

    path.write_bytes(b"run-in" * 99 + moved(6 * 99, places))
    assert verdict(path) == Whole()
    path.write_bytes(moved(7, places[1:2]))
    assert isinstance(verdict(path), Unknown)
    data[44:52] = (int.from_bytes(data[44:52], "big") + 5).to_bytes(8, "big")
    path.write_bytes(data[:pack])
    assert isinstance(verdict(path), Unknown)


def test_an_mxf_without_a_footer_is_refused_where_its_last_frame_is_cut(copy: Clip) -> None:
    path = copy("op1a.mxf")
    data = bytearray(path.read_bytes())
    data[44:52] = bytes(8)
    path.write_bytes(data[: len(data) * 2 // 3])
    found = verdict(path)
    assert isinstance(found, NotWhole)
    assert "in the middle of a frame" in found.reason


def test_a_hole_is_a_suspicion(tmp_path: Path) -> None:
    """A copy that began at the end, or a sparse one: the file system tells, the content cannot."""
    path = tmp_path / "a.mov"
    frame = FRAME[:5] + b"p" * (1 << 20)
    path.write_bytes(movie((frame, frame)))
    assert verdict(path) == Whole()
    sparse = movie((frame, frame)).split(b"p" * (1 << 20), 1)
    with path.open("wb") as file:
        file.write(sparse[0])
        file.seek(1 << 20, os.SEEK_CUR)
        file.write(sparse[1])
    if path.stat().st_blocks * 512 > path.stat().st_size - (1 << 19):
        pytest.skip("this file system has no holes")
    found = verdict(path)
    assert isinstance(found, Unknown)
    assert "hole" in found.reason


def test_a_fault_of_ours_is_a_suspicion_about_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(reader: Reader) -> Verdict:
        raise ZeroDivisionError

    broken = whole.CONTAINERS[0]._replace(judge=stumble)
    monkeypatch.setattr(whole, "CONTAINERS", (broken,))
    found = judged(tmp_path, "a\n.mov", movie())
    assert isinstance(found, Unknown)
    assert "ZeroDivisionError" in found.reason
    assert "fault of our own" in caplog.text


def test_a_remark_is_short_and_can_be_printed() -> None:
    remark = NotWhole(reason="ends in '\x1b[31m\n\u202e" + "x" * 5000).reason
    assert len(remark) == LONGEST_REMARK
    assert remark.isprintable()
