"""Metadata that a program writes into a clip does not make it another one; a new frame does."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from postflow.errors import Skip
from postflow.media.probe import Print, fingerprint, is_unchanged, probe_media
from tests.media.movies import (
    CLUSTER,
    FRAME,
    FRAMES,
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

XMP = box(b"uuid", b"x" * 16 + b"<x:xmpmeta/>" * 9)
OTHER = FRAME[:9] + b"other" + FRAME[14:]
TAGS = element("1254c367", b"tag" * 30)


def indexed(*behind: bytes, note: bytes = b"") -> bytes:
    first = len(seek_head(0)) + len(note)
    head = seek_head(first + 2 * len(CLUSTER))
    return segment(head, note, CLUSTER, CLUSTER, cues(first, first + len(CLUSTER)), *behind)


def tracks(colours: bytes, name: bytes = b"camera") -> bytes:
    entry = element("536e", name) + element("e0", element("55b0", element("55b1", colours)))
    return element("1654ae6b", element("ae", entry))


# name of the file, before, after
SAME = {
    "note behind.mov": (movie(), movie() + XMP),
    "note in the index.mov": (movie(), movie(behind=box(b"udta", b"marker" * 50))),
    "index moves the media.mov": (faststart(), faststart(behind=box(b"udta", b"marker" * 50))),
    "padding is used up.mov": (
        faststart(behind=box(b"free", bytes(300))),
        faststart(behind=box(b"udta", b"m" * 92) + box(b"free", bytes(200))),
    ),
    "index moves to the end.mov": (faststart(), movie()),
    "dates.mov": (movie(), movie().replace(b"m" * 96, b"d" * 96).replace(b"t" * 36, b"d" * 36, 1)),
    "old index becomes room.mov": (movie(), movie() + box(b"free", moov(trak(0))[8:])),
    "old packet becomes room.mov": (movie(), movie() + box(b"free", XMP[8:])),
    "old tags become room.mov": (movie(), movie() + box(b"skip", box(b"udta", b"\xa9nam" * 9))),
    "blank room.mov": (movie(), movie() + box(b"free", b" " * 9000 + b"\n" * 900)),
    "zeros behind.mov": (movie(), movie() + bytes(50_000)),
    "note of a program.mov": (movie(), movie() + box(b"meta", b"marker" * 50)),
    "title.avi": (avi(FRAME), avi(FRAME) + chunk(b"LIST", b"INFO" + chunk(b"INAM", b"title"))),
    "closing junk.avi": (avi(FRAME), avi(FRAME) + chunk(b"JUNK", b"note" * 9)),
    "index is made.avi": (avi(FRAME, index=False), avi(FRAME)),
    "tags behind.mkv": (indexed(), indexed(TAGS)),
    "tags in front.mkv": (indexed(), indexed(note=TAGS)),
    "names.mkv": (indexed(note=tracks(b"c")), indexed(note=tracks(b"c", b"another name"))),
    "shorter numbers.mkv": (indexed(note=tracks(b"\0\0\1")), indexed(note=tracks(b"\1"))),
    "zeros behind.mkv": (indexed(), indexed() + bytes(9000)),
}

ROOM = b"\x91room of a generator" * 300
FAR = bytes(40_000) + ROOM + bytes(40_000)
STRANGER = element("4dff", b"stranger")
OTHERS = {
    "room.mov": (movie() + box(b"free", ROOM), movie() + box(b"free", ROOM[::-1])),
    "room amid zeros.mov": (movie(), movie() + box(b"free", FAR)),
    "more room.mov": (movie() + box(b"skip", ROOM), movie() + box(b"skip", ROOM + ROOM)),
    "in front.mov": (faststart(sized=False), faststart(sized=False) + b"more"),
    "unknown box.mov": (movie() + box(b"abcd", b"one"), movie() + box(b"abcd", b"two")),
    "unknown uuid.mov": (movie(), movie() + box(b"uuid", b"u" * 60)),
    "behind the last box.mov": (movie() + b"\xffone", movie() + b"\xfftwo"),
    "turned.mov": (movie(), movie().replace(b"t" * 44 + b"\0", b"u" * 44 + b"\0", 1)),
    "unknown chunk.avi": (avi(FRAME) + chunk(b"abcd", b"one"), avi(FRAME) + chunk(b"abcd", b"two")),
    "rate.avi": (avi(FRAME), avi(FRAME).replace(b"vids\0\0", b"vids\0\1")),
    "unknown element.mkv": (indexed(), indexed(STRANGER)),
    "unknown element in front.mkv": (indexed(), indexed(note=STRANGER)),
    "behind.mkv": (indexed(), indexed() + b"\0stranger"),
    "colours.mkv": (indexed(note=tracks(b"one")), indexed(note=tracks(b"two"))),
    "a frame.mov": (movie(), movie((OTHER, *FRAMES[1:]))),
    "a frame more.mov": (movie(), movie((*FRAMES, FRAME))),
    "codec.mov": (movie(), movie(codec=b"hvc1")),
    "a frame.avi": (avi(FRAME, FRAME), avi(FRAME, OTHER)),
    "a frame.mkv": (indexed(), indexed().replace(b"picture", b"another", 1)),
    "text.mov": (b"no movie", b"no cinema"),
}


def printed(tmp_path: Path, name: str, content: bytes) -> Print:
    path = tmp_path / name
    path.write_bytes(content)
    with path.open("rb") as file:
        return fingerprint(file.fileno(), len(content), path.suffix)


@pytest.mark.parametrize("name", SAME)
def test_new_metadata_is_the_same_clip_and_yet_a_change(tmp_path: Path, name: str) -> None:
    before, after = (printed(tmp_path, name, each) for each in SAME[name])
    assert before.essence == after.essence
    assert before.rest != after.rest


@pytest.mark.parametrize("name", OTHERS)
def test_other_pictures_are_another_clip(tmp_path: Path, name: str) -> None:
    before, after = (printed(tmp_path, name, each) for each in OTHERS[name])
    assert before.essence != after.essence


def test_a_real_clip_keeps_its_print_when_its_metadata_changes(copy: Clip) -> None:
    """The program's name, which ffmpeg writes into each, is overwritten in place."""
    for name in ("h264.mov", "faststart.mov", "prores.mov", "op1a.mxf", "mpeg4.avi", "h264.mkv"):
        path = copy(name)
        data = path.read_bytes()
        written = "FFmpeg".encode("utf-16-be") if name == "op1a.mxf" else b"Lavf"
        assert written in data, name
        before = printed(path.parent, name, data)
        after = printed(path.parent, name, data.replace(written, written[::-1]))
        assert before.essence == after.essence, name
        assert before.rest != after.rest, name
        middle = len(data) // 2
        cut = data[:middle] + bytes(20_000) + data[middle + 20_000 :]
        assert printed(path.parent, name, cut).essence != before.essence, name


async def test_while_it_is_sent_new_metadata_of_the_same_size_is_a_change(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    path.write_bytes(movie() + box(b"udta", b"some room"))
    media = await probe_media(path)
    os.utime(path, ns=(0, media.mtime_ns + 10**9))
    assert await is_unchanged(media)
    path.write_bytes(movie() + box(b"udta", b"a marker "))
    os.utime(path, ns=(0, media.mtime_ns + 2 * 10**9))
    assert not await is_unchanged(media)
    assert (await probe_media(path)).revision == media.revision


async def test_a_doubt_goes_along_and_what_is_no_media_does_not(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    path.write_bytes(movie())
    assert (await probe_media(path, by_hand=True)).doubt is None
    path.write_bytes(movie()[:-100])
    assert "in the middle of" in str((await probe_media(path, by_hand=True)).doubt)
    path.write_bytes(b"This is no movie at all.\n" * 99)
    assert (await probe_media(path)).doubt
    with pytest.raises(Skip) as caught:
        await probe_media(path, by_hand=True)
    assert caught.value.code == "file.no_media"


def test_big_clips_cost_a_few_hundred_reads(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    start = faststart((FRAME,)).index(b"mdat") - 4
    head = faststart((FRAME,))[:start] + struct.pack(">I4sQ", 1, b"mdat", 10**12)
    path.write_bytes(head + FRAME)
    os.truncate(path, start + 10**12)
    reads: list[int] = []
    real = os.pread

    def noted(descriptor: int, size: int, offset: int) -> bytes:
        reads.append(size)
        return real(descriptor, size, offset)

    with pytest.MonkeyPatch.context() as patched, path.open("rb") as file:
        patched.setattr(os, "pread", noted)
        fingerprint(file.fileno(), path.stat().st_size, ".mov")
    assert len(reads) < 300
    assert sum(reads) < 3 << 20
