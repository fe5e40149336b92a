"""Corners of the formats that ffmpeg does not make, built by hand or from its clips."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from postflow.media.containers import whole
from postflow.media.containers.reading import MOST_BYTES, NotWhole, Reader, Unknown, Verdict, Whole
from postflow.media.containers.whole import judge, verdict
from tests.media.movies import (
    CLUSTER,
    CUES,
    EBML,
    FRAME,
    FRAMES,
    FTYP,
    avi,
    box,
    chunk,
    element,
    moov,
    movie,
    seek_head,
    segment,
    trak,
)

Clip = Callable[[str], Path]
TERABYTE = 1 << 40


MOOV = moov(trak(len(FTYP) + 8))
MDAT = box(b"mdat", b"".join(FRAMES))
PICTURE = b"picture" * 99


def judged(tmp_path: Path, name: str, content: bytes) -> Verdict:
    path = tmp_path / name
    path.write_bytes(content)
    return verdict(path)


def read_of(path: Path) -> tuple[Verdict, Reader]:
    with path.open("rb") as file:
        reader = Reader(file.fileno(), os.fstat(file.fileno()).st_size)
        return judge(reader, path.suffix), reader


def bytes_read_by_this_process() -> int:
    line = Path("/proc/self/io").read_text().splitlines()[0]
    return int(line.removeprefix("rchar: "))


# QuickTime and MP4


def test_the_smallest_whole_movie(tmp_path: Path) -> None:
    assert judged(tmp_path, "a.mov", FTYP + MDAT + MOOV) == Whole()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (FTYP + MDAT, "no index"),
        (FTYP + MOOV, "no media"),
        (FTYP + MDAT + MOOV[:-1], "in the middle of 'moov'"),
        (FTYP + b"\0\0\0\0mdat" + MDAT, "no index"),
        (FTYP + MDAT + box(b"moov", box(b"mvhd", b"m" * 100) + bytes(900)), "zeros"),
        (FTYP + MDAT + MOOV[:-90] + bytes(90), "zeros"),
        (FTYP + MDAT + box(b"moov"), "empty index"),
        (FTYP + b"\0\0\0\x04mdat" + MOOV, "damaged"),
        (b"\0" * 5000, "does not begin as QuickTime or MP4 does"),
        (b"", "is empty"),
        (b"moo", "does not begin"),
    ],
)
def test_an_unfinished_movie_says_what_is_missing(
    tmp_path: Path, content: bytes, says: str
) -> None:
    found = judged(tmp_path, "a.mov", content)
    assert isinstance(found, NotWhole)
    assert says in found.reason


def test_zeros_within_a_closing_free_box_are_nothing_missing(tmp_path: Path) -> None:
    assert judged(tmp_path, "a.mov", FTYP + MDAT + MOOV + box(b"free", bytes(9000))) == Whole()
    assert judged(tmp_path, "a.mov", movie(behind=box(b"free", bytes(9000)))) == Whole()


def test_zeros_within_notes_behind_the_tracks_ask_for_a_longer_wait(tmp_path: Path) -> None:
    """Cameras leave room there; refusing would be for ever."""
    noted = movie(behind=box(b"udta", b"camera" + bytes(9000)))
    assert isinstance(judged(tmp_path, "a.mov", noted), Unknown)
    closing = box(b"uuid", b"note" + bytes(9000))
    assert isinstance(judged(tmp_path, "a.mov", FTYP + MDAT + MOOV + closing), Unknown)
    assert judged(tmp_path, "a.mov", FTYP + MDAT + MOOV + box(b"uuid", b"note" * 9)) == Whole()


def test_media_that_reaches_to_the_end_is_measured_by_its_index(copy: Clip) -> None:
    """A last mdat may give its size as 0, "to the end of the file"."""
    path = copy("faststart.mov")
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat") - 4
    data[at : at + 4] = bytes(4)
    path.write_bytes(data)
    assert verdict(path) == Whole()
    for missing in (1, 100, 10_000):
        os.truncate(path, len(data) - missing)
        found = verdict(path)
        assert isinstance(found, NotWhole)
        assert "ends before the last frame" in found.reason


def test_fragments_without_a_stated_end_are_open_ended(copy: Clip) -> None:
    path = copy("fragmented.mp4")
    os.truncate(path, path.read_bytes().rindex(b"mfra") - 4)
    found = verdict(path)
    assert isinstance(found, NotWhole)
    assert found.open_ended
    os.truncate(path, path.stat().st_size - 1)
    found = verdict(path)
    assert isinstance(found, NotWhole)
    assert not found.open_ended


def test_fragments_that_go_on_behind_their_index_are_open_ended(copy: Clip) -> None:
    """The sidx in front accounts for the old end, not for this one."""
    path = copy("indexed_fragments.mp4")
    data = path.read_bytes()
    path.write_bytes(data + data[data.rindex(b"moof") - 4 :])
    found = verdict(path)
    assert isinstance(found, NotWhole)
    assert found.open_ended


@pytest.mark.parametrize("name", ["fragmented.mp4", "late_fragments.mp4"])
def test_fragments_cut_before_the_first_one_are_not_a_plain_movie(copy: Clip, name: str) -> None:
    path = copy(name)
    os.truncate(path, path.read_bytes().index(b"moof") - 4)
    assert isinstance(verdict(path), NotWhole)


def test_a_hundred_thousand_fragments_are_judged_by_the_last_one(tmp_path: Path) -> None:
    pair = box(b"moof", b"fragment") + box(b"mdat", b"picture!")
    start = FTYP + box(b"moov", box(b"mvex", b"x" * 24))
    body = start + pair * 100_000
    last = len(body) - len(pair)
    entry = struct.pack(">QQBBB", 7, last, 1, 1, 1)
    tfra = box(b"tfra", struct.pack(">IIII", 1 << 24, 1, 0, 1) + entry)
    mfra = box(b"mfra", tfra + box(b"mfro", struct.pack(">II", 0, 8 + len(tfra) + 16)))
    path = tmp_path / "a.mp4"
    path.write_bytes(body + mfra)
    found, reader = read_of(path)
    assert found == Whole()
    assert reader.calls < 50
    path.write_bytes(body)
    found, reader = read_of(path)
    assert isinstance(found, NotWhole)
    assert found.open_ended
    assert reader.read <= MOST_BYTES


# MXF


def test_mxf_may_have_foreign_bytes_in_front(copy: Clip) -> None:
    path = copy("op1a.mxf")
    data = b"run-in" * 500 + path.read_bytes()
    path.write_bytes(data)
    assert verdict(path) == Whole()
    os.truncate(path, len(data) - 40)
    assert isinstance(verdict(path), NotWhole)


def test_mxf_without_a_random_index_is_judged_by_its_footer(copy: Clip) -> None:
    path = copy("op1a.mxf")
    data = path.read_bytes()
    random_index = int.from_bytes(data[-4:], "big")
    body = len(data) - random_index
    os.truncate(path, body)
    assert verdict(path) == Whole()
    for missing in (1, 30, 1000):
        os.truncate(path, body - missing)
        assert isinstance(verdict(path), NotWhole)


def footer_of(data: bytes) -> int:
    """Where the last partition's key starts."""
    return data.rindex(bytes.fromhex("0d01020101") + b"\x04") - 8


def test_mxf_whose_index_leads_to_no_partition_is_refused(copy: Clip) -> None:
    path = copy("op1a.mxf")
    data = path.read_bytes()
    at = footer_of(data)
    path.write_bytes(data[:at] + bytes(16) + data[at + 16 :])
    assert isinstance(verdict(path), NotWhole)


def test_mxf_that_ends_behind_the_first_item_of_its_footer_is_refused(copy: Clip) -> None:
    """Between two items, where a mere walk would see a sound end."""
    path = copy("op1a.mxf")
    data = path.read_bytes()
    at = footer_of(data)
    length = int.from_bytes(data[at + 17 : at + 20], "big")
    os.truncate(path, at + 20 + length)
    found = verdict(path)
    assert isinstance(found, NotWhole)
    assert "within its footer" in found.reason


def test_mxf_whose_random_index_is_half_written_is_refused(copy: Clip) -> None:
    path = copy("op1a.mxf")
    data = path.read_bytes()
    path.write_bytes(data[:-4] + bytes(4))
    found = verdict(path)
    assert isinstance(found, NotWhole)
    assert "random index" in found.reason


@pytest.mark.parametrize(("status", "kind"), [(1, NotWhole), (3, NotWhole), (4, Unknown)])
def test_mxf_without_footer_and_index_depends_on_its_header(
    copy: Clip, status: int, kind: type[Verdict]
) -> None:
    """Open: the writer has not come back. Closed: it never writes a footer."""
    path = copy("op1a.mxf")
    data = bytearray(path.read_bytes()[: footer_of(path.read_bytes())])
    data[14] = status
    data[44:52] = bytes(8)
    path.write_bytes(data)
    assert isinstance(verdict(path), kind)


def test_zeros_within_a_closing_fill_item_are_nothing_missing(copy: Clip) -> None:
    path = copy("op1a.mxf")
    data = path.read_bytes()
    body = data[: len(data) - int.from_bytes(data[-4:], "big")]
    fill = bytes.fromhex("060e2b34010101020301021001000000") + b"\x83\x00\x20\x00"
    path.write_bytes(body + fill + bytes(0x2000))
    assert verdict(path) == Whole()
    path.write_bytes(body + fill + bytes(0x1FFF))
    assert isinstance(verdict(path), NotWhole)


# AVI


def test_avi_in_several_parts_ends_with_the_last_one_its_index_names(tmp_path: Path) -> None:
    first = avi(PICTURE, second_riff_at=0)
    first = avi(PICTURE, second_riff_at=len(first) + 24)
    second = chunk(b"RIFF", b"AVIX" + chunk(b"LIST", b"movi" + chunk(b"00dc", b"picture" * 300)))
    assert judged(tmp_path, "a.avi", first + second) == Whole()
    found = judged(tmp_path, "a.avi", first)
    assert isinstance(found, NotWhole)
    assert "index names" in found.reason
    assert isinstance(judged(tmp_path, "a.avi", first + second[:-1]), NotWhole)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_avi_whose_size_was_never_filled_in_is_refused(tmp_path: Path, size: int) -> None:
    data = avi(PICTURE)
    unfinished = data[:4] + struct.pack("<I", size) + data[8:]
    assert judged(tmp_path, "a.avi", data) == Whole()
    assert isinstance(judged(tmp_path, "a.avi", unfinished), NotWhole)


def test_avi_without_a_size_says_so(tmp_path: Path) -> None:
    data = avi(PICTURE)
    found = judged(tmp_path, "a.avi", data[:4] + bytes(4) + data[8:])
    assert isinstance(found, NotWhole)
    assert "without a size" in found.reason


def test_avi_with_zeros_in_its_index_is_refused(tmp_path: Path) -> None:
    data = avi(*[PICTURE] * 500)
    assert judged(tmp_path, "a.avi", data) == Whole()
    for zeros in (64, 5000):
        assert isinstance(judged(tmp_path, "a.avi", data[:-zeros] + bytes(zeros)), NotWhole)


def test_a_preallocated_avi_is_refused_at_its_first_zeros(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    path.write_bytes(b"RIFF" + struct.pack("<I", (1 << 30) - 8) + b"AVI ")
    os.truncate(path, 1 << 30)
    found, reader = read_of(path)
    assert isinstance(found, NotWhole)
    assert reader.calls < 10


def test_zeros_within_a_closing_junk_chunk_are_nothing_missing(tmp_path: Path) -> None:
    assert judged(tmp_path, "a.avi", avi(PICTURE) + chunk(b"JUNK", bytes(9000))) == Whole()


# Matroska


def test_matroska_of_unknown_length_is_open_ended_unless_an_index_closes_it(
    tmp_path: Path,
) -> None:
    """A killed encoder leaves no Cues behind."""
    found = judged(tmp_path, "a.mkv", segment(CLUSTER, CLUSTER, sized=False))
    assert isinstance(found, NotWhole)
    assert found.open_ended
    parts = seek_head(0), CLUSTER, CLUSTER
    head = seek_head(sum(map(len, parts)))
    assert judged(tmp_path, "a.mkv", segment(head, *parts[1:], CUES, sized=False)) == Whole()
    cut = segment(head, *parts[1:], CUES[:-1], sized=False)
    assert isinstance(judged(tmp_path, "a.mkv", cut), NotWhole)
    in_front = segment(seek_head(len(seek_head(0))), CUES, CLUSTER, sized=False)
    found = judged(tmp_path, "a.mkv", in_front)
    assert isinstance(found, NotWhole)
    assert found.open_ended


def test_what_follows_a_segment_has_to_end_with_the_file(tmp_path: Path) -> None:
    assert judged(tmp_path, "a.mkv", segment(CLUSTER) + b"\xec\x83abc") == Whole()
    assert isinstance(judged(tmp_path, "a.mkv", segment(CLUSTER) + EBML[:-1]), NotWhole)


def test_matroska_cut_within_a_live_stream_is_broken_rather_than_open_ended(
    tmp_path: Path,
) -> None:
    live = element("1f43b675", element("a3", b"picture" * 99), sized=False)
    whole = judged(tmp_path, "a.mkv", segment(live, live, sized=False))
    assert isinstance(whole, NotWhole)
    assert whole.open_ended
    cut = judged(tmp_path, "a.mkv", segment(live, live[:-1], sized=False))
    assert isinstance(cut, NotWhole)
    assert not cut.open_ended


def test_zeros_within_a_closing_void_are_nothing_missing(tmp_path: Path) -> None:
    void = element("ec", bytes(9000))
    assert judged(tmp_path, "a.mkv", segment(CLUSTER, CUES, void)) == Whole()
    cues = element("1c53bb6b", element("bb", b"\xb3\x81\x05") * 50)
    assert judged(tmp_path, "a.mkv", segment(CLUSTER, cues)) == Whole()
    unwritten = segment(CLUSTER, cues)[:-100] + bytes(100)
    assert isinstance(judged(tmp_path, "a.mkv", unwritten), NotWhole)


# All of them


def test_a_terabyte_is_judged_with_less_than_a_mebibyte(tmp_path: Path) -> None:
    """Sparse files: the sizes are real, the disk space is not."""
    big = tmp_path / "a.mov"
    front = FTYP + struct.pack(">I4sQ", 1, b"mdat", 16 + len(FRAME) + TERABYTE) + FRAME
    big.write_bytes(front)
    os.truncate(big, len(front) + TERABYTE)
    with big.open("ab") as file:
        file.write(moov(trak(len(FTYP) + 16, (FRAME,))))
    matroska = tmp_path / "a.mkv"
    body = element("1f43b675", b"")[:4] + struct.pack(">Q", 1 << 56 | TERABYTE)
    size = struct.pack(">Q", 1 << 56 | len(body) + TERABYTE + len(CUES))
    matroska.write_bytes(EBML + bytes.fromhex("18538067") + size + body)
    os.truncate(matroska, matroska.stat().st_size + TERABYTE)
    with matroska.open("ab") as file:
        file.write(CUES)
    before = bytes_read_by_this_process()
    assert read_of(big)[0] == Whole()
    assert read_of(matroska)[0] == Whole()
    assert "hole" in str(verdict(big))
    assert bytes_read_by_this_process() - before < 2 * MOST_BYTES


def test_content_decides_where_the_name_says_something_else(tmp_path: Path, copy: Clip) -> None:
    path = copy("h264.mkv")
    renamed = path.rename(tmp_path / "wrong.mov")
    assert verdict(renamed) == Whole()
    os.truncate(renamed, renamed.stat().st_size - 1)
    assert isinstance(verdict(renamed), NotWhole)


def test_other_kinds_of_file_are_unknown_unless_nothing_is_written(tmp_path: Path) -> None:
    assert isinstance(judged(tmp_path, "a.r3d", b"raw" * 5000), Unknown)
    assert isinstance(judged(tmp_path, "a.r3d", bytes(9000)), NotWhole)


def test_a_file_that_differs_from_what_was_observed_is_not_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    path.write_bytes(FTYP + MDAT + MOOV)
    found = path.stat()
    assert verdict(path, (found.st_size, found.st_mtime_ns)) == Whole()
    assert isinstance(verdict(path, (found.st_size, found.st_mtime_ns - 1)), NotWhole)
    assert isinstance(verdict(path, (found.st_size - 1, found.st_mtime_ns)), NotWhole)


def rewrite(path: Path) -> None:
    """The same size, another time."""
    os.utime(path, ns=(1, 1))


def replace(path: Path) -> None:
    """Another file under the same name."""
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes())
    other.rename(path)


@pytest.mark.parametrize("change", [rewrite, replace, Path.unlink])
def test_a_file_that_changes_during_the_look_is_not_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "a.mov"
    path.write_bytes(FTYP + MDAT + MOOV)

    def judge_slowly(reader: Reader) -> Verdict:
        change(path)
        return Whole()

    movie = whole.CONTAINERS[0]._replace(judge=judge_slowly)
    monkeypatch.setattr(whole, "CONTAINERS", (movie,))
    assert isinstance(verdict(path), NotWhole)


def test_what_is_no_readable_file_is_not_whole_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "whole.mov").write_bytes(FTYP + MDAT + MOOV)
    (tmp_path / "link.mov").symlink_to(tmp_path / "whole.mov")
    (tmp_path / "folder.mov").mkdir()
    os.mkfifo(tmp_path / "pipe.mov")
    reasons = {}
    for name in ("absent.mov", "link.mov", "folder.mov", "pipe.mov"):
        found = verdict(tmp_path / name)
        assert isinstance(found, NotWhole)
        reasons[name] = found.reason
    assert "No such file" in reasons["absent.mov"]
    assert "cannot be opened" in reasons["link.mov"]
    assert "not a regular file" in reasons["pipe.mov"]
