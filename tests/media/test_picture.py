"""One frame of a clip: a good one where there is one, nothing else, whatever the file holds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import psutil
import pytest

from postflow.media import picture
from postflow.media.probe import probe_media
from postflow.sandbox.clips import clip_path
from tests.support.wait import wait_until

Film = Callable[..., Path]


@pytest.fixture
def film(tmp_path: Path) -> Film:
    """Three seconds of a moving picture."""

    def film(name: str, *options: str) -> Path:
        path = tmp_path / name
        source = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=10:d=3")
        coded = () if "-c:v" in options else ("-c:v", "mjpeg")
        command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *source, *coded, *options, str(path)]
        subprocess.run(command, check=True)
        return path

    return film


async def made(path: Path) -> tuple[int, int] | None:
    """The size of the clip's picture, if one is made."""
    kept = await made_of(path)
    if kept is None:
        return None
    assert kept.stat().st_mode & 0o777 == 0o600
    assert 0 < kept.stat().st_size <= picture.LARGEST
    with av.open(str(kept)) as jpeg:
        stream = jpeg.streams.video[0]
        assert stream.codec_context.name == "mjpeg"
        return stream.width, stream.height


H264 = ("-c:v", "libx264", "-preset", "ultrafast")
DNXHR = (
    "-c:v",
    "dnxhd",
    "-profile:v",
    "dnxhr_lb",
    "-pix_fmt",
    "yuv422p",
    "-s",
    "1280x720",
    "-r",
    "25",
)


@pytest.mark.parametrize(
    ("name", "options", "size"),
    [
        ("prores.mov", ("-c:v", "prores_ks"), (160, 90)),
        ("one_gop.mp4", (*H264, "-g", "999"), (160, 90)),
        ("avi.avi", (), (160, 90)),
        ("anamorphic.mkv", (*H264, "-vf", "setsar=4/3"), (214, 90)),
        ("dnxhr.mxf", DNXHR, (640, 360)),
        ("vertical.mov", ("-vf", "scale=720:1280,setsar=1"), (360, 640)),
    ],
)
async def test_each_kind_of_clip_has_a_picture_in_its_proportions(
    film: Film, name: str, options: tuple[str, ...], size: tuple[int, int]
) -> None:
    assert await made(film(name, *options)) == size


def covered(when: str, colour: str = "black") -> tuple[str, str]:
    return "-vf", f"drawbox=c={colour}:t=fill:enable='{when}'"


@pytest.mark.parametrize(
    ("options", "shows"),
    [
        (covered("lt(t,1.4)"), True),
        (covered("not(between(t,1.55,1.75))"), True),
        (covered("between(t,1,2)"), False),
        (covered("between(t,1,2)", "0x336699"), False),
        (covered("gte(t,0)"), False),
        (("-vf", "eq=brightness=-0.3:contrast=0.3"), True),
    ],
    ids=["black at the start", "one moment", "black in the middle", "plain", "all black", "dark"],
)
async def test_what_shows_nothing_is_no_picture(
    film: Film, options: tuple[str, ...], shows: bool
) -> None:
    """Of the middle third only: at the ends are slates."""
    assert (await made(film("clip.mov", *options)) is not None) == shows


async def test_a_truncated_clip_shows_what_is_left(film: Film) -> None:
    path = film("cut.mov", "-movflags", "faststart")
    os.truncate(path, path.stat().st_size * 55 // 100)
    assert await made(path) == (160, 90)
    os.truncate(path, 3000)
    assert await made(path) is None


def patched(path: Path, mark: bytes, offset: int, value: bytes) -> Path:
    """The bytes so far behind each place of the mark are the value."""
    data = bytearray(path.read_bytes())
    at = data.find(mark)
    assert at > 0
    while at > 0:
        data[at + offset : at + offset + len(value)] = value
        at = data.find(mark, at + 1)
    path.write_bytes(data)
    return path


async def test_hostile_dimensions_are_not_decoded(film: Film) -> None:
    frame_header = b"\x00\x11\x08" + (90).to_bytes(2, "big") + (160).to_bytes(2, "big")
    assert await made(patched(film("jpeg.mov"), frame_header, 3, b"\xff\xdc" * 2)) is None
    raw = film("raw.avi", "-c:v", "rawvideo")
    assert await made(patched(raw, b"strf", 12, b"\xff\x7f\x00\x00" * 2)) is None


async def test_a_picture_is_turned_as_a_player_turns_it(film: Film) -> None:
    """By the matrix of its track: https://developer.apple.com/documentation/quicktime-file-format"""
    turn = b"".join(each.to_bytes(4, "big", signed=True) for each in (0, 1 << 16, 0, -1 << 16, 0))
    assert await made(patched(film("phone.mov"), b"tkhd", 44, turn)) == (90, 160)


@pytest.mark.parametrize("length", [b"\xff" * 4, b"\x00" * 4], ids=["endless", "none"])
async def test_a_hostile_duration_has_an_end(film: Film, length: bytes) -> None:
    path = film("clip.mov", *H264)
    for kind, offset in ((b"mvhd", 20), (b"mdhd", 20), (b"tkhd", 24)):
        patched(path, kind, offset, length)
    assert await made(path) == (160, 90)


def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """What a decoder would do that a clip has taken over."""
    path = tmp_path / "script.py"
    taken_over = (
        "import os, runpy, socket, sys\n"
        f"serve = runpy.run_path({str(picture.SCRIPT)!r})['serve']\n"
        f"serve.__globals__['main'] = lambda _: exec({text!r}, globals())\n"
        "serve(socket.socket(fileno=0))"
    )
    path.write_text(taken_over)
    monkeypatch.setattr(picture, "SCRIPT", path)


Begun = Callable[[], set[psutil.Process]]


@pytest.fixture
def begun() -> Begun:
    """Processes since the test's beginning, and dead ones that nobody has waited for: what is kept
    for all clips, and one for each.
    """
    before = set(psutil.Process().children(recursive=True))
    return lambda: set(psutil.Process().children(recursive=True)) - before


async def made_of(path: Path) -> Path | None:
    async with picture.Pictures() as pictures:
        return await pictures.make(await probe_media(path))


async def test_a_decoder_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: Begun
) -> None:
    script(tmp_path, monkeypatch, "while True: pass")
    monkeypatch.setattr(picture, "LIMIT", 0.5)
    async with picture.Pictures() as pictures:
        with pytest.raises(TimeoutError):
            await pictures.make(await probe_media(clip_path()))
        await wait_until(lambda: len(begun()) == 1, description="the end of the clip's")
    assert begun() == set()


HEAD = r"b'\xff\xd8\xff'"


@pytest.mark.parametrize(
    "text",
    [
        f"import sys\nwhile True: sys.stdout.buffer.write({HEAD} * 9999)",
        "print('<html>')",
        f"import os, sys; sys.stdout.buffer.write({HEAD} if os.environ.get('SECRET') else b'')",
    ],
    ids=["says too much", "says something else", "knows a secret"],
)
async def test_what_a_decoder_says_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("SECRET", "x")
    script(tmp_path, monkeypatch, text)
    assert await made_of(clip_path()) is None


def test_a_decoder_opens_no_file_and_no_socket() -> None:
    tried = (
        "import runpy, socket, sys\n"
        "runpy.run_path(sys.argv[1])['limit']()\n"
        "for open_it in (lambda: open('/dev/null'), socket.socket):\n"
        "    try: open_it()\n"
        "    except OSError: print('refused')\n"
    )
    command = [sys.executable, "-I", "-c", tried, str(picture.SCRIPT)]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["refused", "refused"]


async def test_without_a_decoder_there_is_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "find_spec", lambda _: None)
    assert await made(clip_path()) is None


async def test_a_clip_that_changes_meanwhile_has_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "clip.mov"
    shutil.copyfile(clip_path(), path)
    media = await probe_media(path)
    path.write_bytes(path.read_bytes() + b"?")
    async with picture.Pictures() as pictures:
        assert await pictures.make(media) is None


async def test_what_is_not_made_in_time_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: Begun
) -> None:
    script(tmp_path, monkeypatch, "while True: pass")
    media = await probe_media(clip_path())
    async with picture.Pictures() as pictures:
        async with pictures.made_beside(media):
            await wait_until(lambda: len(begun()) == 2, description="a process for the clip")
        await wait_until(lambda: len(begun()) == 1, description="its end")
        async with pictures.made_beside(media.model_copy(update={"path": tmp_path / "gone.mov"})):
            pass


async def test_one_process_imports_the_decoder_for_all_clips_and_is_begun_again_where_it_ended(
    film: Film, begun: Begun
) -> None:
    first, second, third = (
        film(f"{name}.mov", "-r", f"{5 + number}") for number, name in enumerate("abc")
    )
    async with picture.Pictures() as pictures:
        assert await pictures.make(await probe_media(first))
        await wait_until(lambda: len(begun()) == 1, description="the end of the clip's")
        (kept,) = begun()
        assert await pictures.make(await probe_media(second))
        await wait_until(lambda: begun() == {kept}, description="the end of the clip's")
        kept.kill()
        await wait_until(lambda: begun() == set(), description="its end")
        assert await pictures.make(await probe_media(third))
    assert begun() == set()
