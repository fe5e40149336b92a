"""Looking at real files: what is a clip, what is not, and what counts as changed."""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postflow.errors import Fatal, Retry, Skip, printable
from postflow.media.pinned import PinnedFile
from postflow.media.probe import (
    SAMPLE,
    SAMPLES,
    Print,
    fingerprint,
    is_unchanged,
    probe_media,
)
from postflow.outlet.ranges import Validators
from tests.support.wild_times import WILD, written_at

NOBODY = 65534


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "SQ07_UNDLM_00152_v003.mov"
    path.write_bytes(random.Random(1).randbytes(2_000_000))
    return path


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything, so root steps down for a moment."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_a_clip_is_described(clip: Path) -> None:
    os.utime(clip, ns=(0, 1_234_567_890_123_456_789))
    media = await probe_media(clip)
    assert (media.path, media.size) == (clip, 2_000_000)
    assert media.mtime_ns == 1_234_567_890_123_456_789
    assert media.content_type == "video/quicktime"


@pytest.mark.parametrize("seconds", WILD)
async def test_a_wild_time_stamp_can_be_told_and_compared(clip: Path, seconds: int) -> None:
    written_at(clip, seconds)
    media = await probe_media(clip)
    assert -(2**63) <= media.mtime_ns < 2**63
    assert (media.modified.year > 2200) == (seconds > 0)
    assert await is_unchanged(media)
    pinned = PinnedFile(media)
    assert pinned.is_in_place()
    assert Validators("", pinned.mtime_ns // 10**9).last_modified.endswith("GMT")
    pinned.close()


async def test_a_relative_path_becomes_absolute(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clip.parent)
    assert (await probe_media(Path(clip.name))).path == clip
    elsewhere = clip.parent / "elsewhere" / "deep"
    elsewhere.mkdir(parents=True)
    assert (await probe_media(elsewhere / ".." / ".." / clip.name)).path == clip
    (clip.parent / "link").symlink_to(elsewhere)
    beside = elsewhere.parent / clip.name
    shutil.copy(clip, beside)
    assert (await probe_media(Path("link") / ".." / clip.name)).path == beside.resolve()


@pytest.mark.parametrize("suffix", [".mov", ".MP4", ".mxf", ".Avi", ".mkv"])
async def test_the_kinds_of_clip_are_known_in_any_case(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"x")
    assert (await probe_media(path)).size == 1


def _nothing(path: Path) -> None: ...


def _folder(path: Path) -> None:
    path.mkdir()


def _empty(path: Path) -> None:
    path.touch()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _link(path: Path) -> None:
    target = path.with_name("target.mov")
    target.write_bytes(b"x")
    path.symlink_to(target)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.parametrize(
    ("make", "name", "code"),
    [
        (_nothing, "a.mov", "file.missing"),
        (_nothing, "a.mov/b.mov", "file.missing"),
        (_nothing, "nul\0.mov", "file.missing"),
        (_nothing, "long" * 100 + ".mov", "file.missing"),
        (_empty, "a.mov", "file.empty"),
        (_folder, "a.mov", "file.not_a_file"),
        (_folder, "EXPORTS", "file.not_a_file"),
        (_nothing, "long" * 100, "file.extension"),
        (_pipe, "a.mov", "file.not_a_file"),
        (_link, "a.mov", "file.not_a_file"),
        (_socket, "a.mov", "file.not_a_file"),
        (_empty, "a.txt", "file.extension"),
        (_empty, "mov", "file.extension"),
    ],
)
async def test_what_is_not_a_clip_is_skipped_with_a_reason(
    tmp_path: Path, make: Callable[[Path], None], name: str, code: str
) -> None:
    make(tmp_path / name)
    with pytest.raises(Skip) as caught:
        await probe_media(tmp_path / name)
    assert caught.value.code == code
    assert caught.value.hint


@pytest.fixture
def locked_away() -> Iterator[Path]:
    """A clip in a folder open to all, itself open to nobody."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    path = folder / "a.mov"
    path.write_bytes(b"x")
    path.chmod(0)
    yield path
    shutil.rmtree(folder)


async def test_a_file_that_may_not_be_read_needs_a_person(locked_away: Path) -> None:
    with as_nobody(), pytest.raises(Fatal) as caught:
        await probe_media(locked_away)
    assert caught.value.code == "file.unreadable"


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    following = os.dup(0)
    os.close(following)
    resource.setrlimit(resource.RLIMIT_NOFILE, (following, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_trouble_of_the_machine_may_pass(clip: Path) -> None:
    with no_more_descriptors(), pytest.raises(Retry) as caught:
        await probe_media(clip)
    assert caught.value.code == "file.unreadable"


@contextmanager
def growing(path: Path) -> Iterator[None]:
    """Another program is still writing."""
    done = threading.Event()

    def write() -> None:
        with path.open("ab", buffering=0) as file:
            while not done.is_set():
                file.write(b"x")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        done.set()
        writer.join()


async def test_a_file_that_grows_while_looked_at_is_not_described(clip: Path) -> None:
    async def look_often() -> None:
        for _ in range(5000):
            await probe_media(clip)

    with growing(clip), pytest.raises(Retry) as caught:
        await look_often()
    assert caught.value.code == "file.changing"


async def test_an_untouched_file_is_unchanged(clip: Path) -> None:
    assert await is_unchanged(await probe_media(clip))


async def test_a_new_mtime_alone_is_no_change(clip: Path) -> None:
    media = await probe_media(clip)
    os.utime(clip, ns=(0, media.mtime_ns + 10**9))
    assert await is_unchanged(media)
    assert (await probe_media(clip)).revision == media.revision


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def _cut(path: Path) -> None:
    os.truncate(path, 1_999_999)


def _rewrite(path: Path) -> None:
    mtime = path.stat().st_mtime_ns
    path.write_bytes(random.Random(2).randbytes(2_000_000))
    os.utime(path, ns=(0, mtime + 1))


def _delete(path: Path) -> None:
    path.unlink()


def _replace_by_a_link(path: Path) -> None:
    path.symlink_to(path.rename(path.with_name("other.mov")))


@pytest.mark.parametrize("change", [_grow, _cut, _rewrite, _delete, _replace_by_a_link])
async def test_a_change_is_seen(clip: Path, change: Callable[[Path], None]) -> None:
    media = await probe_media(clip)
    change(clip)
    assert not await is_unchanged(media)


def _fingerprint(path: Path) -> Print:
    with path.open("rb") as file:
        return fingerprint(file.fileno(), path.stat().st_size)


@given(size=st.integers(1, 3 * SAMPLE * SAMPLES), data=st.data())
def test_a_flipped_byte_in_head_tail_or_a_small_file_is_seen(
    size: int, data: st.DataObject
) -> None:
    whole = size <= SAMPLE * SAMPLES
    edge = data.draw(st.integers(0, (size if whole else SAMPLE) - 1))
    place = data.draw(st.sampled_from([edge, size - 1 - edge]))
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(size)
        before = fingerprint(file.fileno(), size)
        os.pwrite(file.fileno(), b"\x01", place)
        assert fingerprint(file.fileno(), size) != before


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs Linux's /proc")
def test_a_terabyte_costs_less_than_three_mebibytes_of_reading(tmp_path: Path) -> None:
    path = tmp_path / "huge.mov"
    with path.open("wb") as file:
        file.truncate(10**12)
    before = _bytes_read()
    _fingerprint(path)
    assert SAMPLE * SAMPLES <= _bytes_read() - before < 3 << 20


def _bytes_read() -> int:
    fields = Path("/proc/self/io").read_text().split()
    return int(fields[fields.index("rchar:") + 1])


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ESTALE, errno.EMFILE])
async def test_what_cannot_be_looked_at_has_not_changed(
    clip: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Told is that it cannot be read, and only when looking again was in vain."""
    media = await probe_media(clip)
    monkeypatch.setattr("postflow.media.probe.LOOK_AGAIN", (0.0, 0.0))
    failing = iter([True, True, True])

    def reluctant(path: Path, flags: int) -> int:
        if next(failing, False):
            raise OSError(number, os.strerror(number), str(path))
        return real(path, flags)

    real = os.open
    monkeypatch.setattr("postflow.media.probe.os.open", reluctant)
    with pytest.raises(Retry) as caught:
        await is_unchanged(media)
    assert caught.value.code == "file.unreadable"
    failing = iter([True, True])
    assert await is_unchanged(media)


async def test_a_pinned_file_whose_path_gives_an_error_has_not_changed(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = PinnedFile(await probe_media(clip))

    def unreachable(path: Path) -> os.stat_result:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "lstat", unreachable)
        assert pinned.is_in_place()
    _delete(clip)
    assert not pinned.is_in_place()
    pinned.close()


def test_a_hostile_name_is_made_printable() -> None:
    assert printable("a\n\x1b[31mb\udcff.mov") == "a\ufffd\ufffd[31mb\ufffd.mov"
