"""Looking at a file on disk: is it a clip, can it be read, what does it hold."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import xxhash

from postflow.errors import Fatal, Retry, Skip, printable
from postflow.language import told
from postflow.media.containers.essence import Range, essence_of
from postflow.media.containers.reading import NotWhole, Reader, Whole
from postflow.media.containers.whole import verdict_of_open
from postflow.models import MediaFile

from . import volume
from .kinds import refusal
from .volume import mtime_of

SAMPLE = 1 << 14
SAMPLES = 128


class Print(NamedTuple):
    """Hex xxh3-128 of the essence, or of all where nothing tells them apart, and of the `rest`."""

    essence: str
    rest: str


def fingerprint(descriptor: int, size: int, suffix: str = "") -> Print:
    """Of head, tail and 126 places between, 16 KiB each; of all where it is no larger.

    Two files that differ only between the samples have the same fingerprint.
    """
    found = essence_of(Reader(descriptor, size), suffix)
    if found is None:
        return Print(_digest(descriptor, [Range(0, size)], b"all"), "")
    return Print(
        _digest(descriptor, found.ranges, b"essence" + found.described),
        _digest(descriptor, _others(found.ranges, size), b"rest"),
    )


def _digest(descriptor: int, ranges: Sequence[Range], about: bytes) -> str:
    length = sum(each.stop - each.start for each in ranges)
    digest = xxhash.xxh3_128(about + length.to_bytes(8, "big"))
    for offset in _offsets(length):
        digest.update(_sample(descriptor, ranges, offset))
    return digest.hexdigest()


def _offsets(length: int) -> Iterator[int]:
    """Evenly spread, the first at 0, the last ending at the end, none overlapping."""
    if length <= SAMPLE * SAMPLES:
        yield from range(0, length, SAMPLE)
        return
    for place in range(SAMPLES):
        yield place * (length - SAMPLE) // (SAMPLES - 1)


def _sample(descriptor: int, ranges: Sequence[Range], offset: int) -> bytes:
    """A sample at `offset` of the ranges put one behind the other."""
    found = b""
    for start, stop in ranges:
        if offset < stop - start and len(found) < SAMPLE:
            wanted = min(SAMPLE - len(found), stop - start - offset)
            found += os.pread(descriptor, wanted, start + offset)
            offset = 0
        else:
            offset -= min(offset, stop - start)
    return found


def _others(ranges: Sequence[Range], size: int) -> list[Range]:
    """What lies between, in front of and behind the ranges."""
    stops, starts = [0, *(r.stop for r in ranges)], [*(r.start for r in ranges), size]
    return [Range(a, b) for a, b in zip(stops, starts, strict=True) if a < b]


NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
NOT_A_FILE = (errno.ELOOP, errno.ENXIO)
LOOK_AGAIN = (0.1, 0.4, 1.5)  # seconds until the next look


async def probe_media(path: Path, *, any_kind: bool = False, by_hand: bool = False) -> MediaFile:
    """Describe the clip at `path`. Raises Skip, Fatal or Retry `file.*`, Retry `volume.hangs`.

    `any_kind`: its name may be no clip's; what it is called is judged later. `by_hand`: no scan
    has judged it, so what is no media container is refused, Skip `file.no_media`.
    """
    return await volume.ask_in_time(lambda: _probe(path, any_kind, by_hand), path)


async def is_unchanged(media: MediaFile, *, by_content: bool = False) -> bool:
    """Is the file still what it was? Size and mtime decide; a new mtime alone asks the content,
    and so does `by_content`, since another file may have both.

    What cannot be looked at has not changed: it is looked at again, then Retry `file.unreadable`.
    Raises Retry `volume.hangs` too.
    """
    for pause in LOOK_AGAIN:
        try:
            return await _ask_whether_unchanged(media, by_content)
        except Retry as error:
            if error.code != "file.unreadable":
                raise
        await asyncio.sleep(pause)
    return await _ask_whether_unchanged(media, by_content)


async def _ask_whether_unchanged(media: MediaFile, by_content: bool) -> bool:
    return await volume.ask_in_time(lambda: _is_unchanged(media, by_content), media.path)


def open_clip(path: Path) -> int:
    """A descriptor for reading a plain file; links are not followed. Raises as `probe_media`."""
    with explained(path):
        # O_NONBLOCK: opening a pipe that is named like a clip must not hold us up.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        _check_kind(path, os.fstat(descriptor).st_mode)
        os.set_blocking(descriptor, True)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def holds(descriptor: int, media: MediaFile, *, by_content: bool = False) -> bool:
    """Does the open file have the size of `media`, and its mtime, unless it is `by_content`, or its
    content?
    """
    now = os.fstat(descriptor)
    if now.st_size != media.size:
        return False
    return (mtime_of(now) == media.mtime_ns and not by_content) or (
        fingerprint(descriptor, now.st_size, media.path.suffix) == (media.fingerprint, media.rest)
    )


def _probe(path: Path, any_kind: bool, by_hand: bool) -> MediaFile:
    no_clip = None if any_kind else refusal(path.name)
    if no_clip:
        is_folder = volume.is_folder(path)
        raise _not_a_file(path) if is_folder else no_clip
    with _opened(path) as descriptor:
        before = os.fstat(descriptor)
        _demand_content(path, before.st_size)
        content = fingerprint(descriptor, before.st_size, path.suffix)
        found = verdict_of_open(descriptor, path)
        after = os.fstat(descriptor)
    if (before.st_size, mtime_of(before)) != (after.st_size, mtime_of(after)):
        raise Retry(
            "{name} changed while it was looked at.",
            hint="Wait until the render or copy is finished, then try again.",
            code="file.changing",
            name=printable(path.name),
        )
    if by_hand and isinstance(found, NotWhole) and found.no_media:
        raise Skip(
            "{name} is no clip: it {reason}.",
            hint="Export or copy it again, or give it the ending of what it is.",
            code="file.no_media",
            name=printable(path.name),
            reason=found.reason,
        )
    return MediaFile(
        path=_in_full(path),
        size=before.st_size,
        mtime_ns=mtime_of(before),
        fingerprint=content.essence,
        rest=content.rest,
        doubt=None if isinstance(found, Whole) else told(found.reason),
    )


def _in_full(path: Path) -> Path:
    """Without `..`, which would hide that a file lies in a watch folder, or does not."""
    if ".." not in path.parts:
        return path.absolute()
    plain = Path(os.path.normpath(path.absolute()))  # wrong where a link comes before the `..`
    return plain if plain.exists() and plain.samefile(path) else path.resolve()


def _is_unchanged(media: MediaFile, by_content: bool) -> bool:
    try:
        with _opened(media.path) as descriptor:
            return holds(descriptor, media, by_content=by_content)
    except Skip:
        return False
    except Fatal as error:
        raise Retry(error.message, hint=error.hint, code=error.code) from error


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = open_clip(path)
    try:
        with explained(path):
            yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """What the disk says becomes Skip, Fatal or Retry with codes `file.*`."""
    try:
        yield
    except PermissionError as error:
        raise Fatal(
            "{path} may not be read by this user.",
            hint="Give the user that runs PostFlow the right to read it.",
            code="file.unreadable",
            path=printable(path),
        ) from error
    except (OSError, ValueError) as error:
        if isinstance(error, ValueError) or error.errno in NOT_THERE:
            raise Skip(
                "There is no file {path}.",
                hint="Check the spelling, and that the volume it lives on is mounted.",
                code="file.missing",
                path=printable(path),
            ) from error
        if error.errno in NOT_A_FILE:
            raise _not_a_file(path) from error
        raise Retry(
            "{path} could not be read: {reason}.",
            hint="Check the volume it lives on; network mounts lose their server now and then.",
            code="file.unreadable",
            path=printable(path),
            reason=error.strerror,
        ) from error


def _check_kind(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise _not_a_file(path)


def _demand_content(path: Path, size: int) -> None:
    if size == 0:
        raise Skip(
            "{name} is empty.",
            hint="Render or copy it again; Frame.io takes no empty files.",
            code="file.empty",
            name=printable(path.name),
        )


def _not_a_file(path: Path) -> Skip:
    return Skip(
        "{path} is a folder, a link or a device, not a file.",
        hint="Give the path of the clip itself.",
        code="file.not_a_file",
        path=printable(path),
    )
