"""Whether a file is whole, judged by its own container with a few small reads.

The walks are our own, because no well-kept parser notices in every format an end that was
preallocated and never written, or tells a killed writer's file (measured: docs/readiness.md).
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from postflow.language import N_
from postflow.media.volume import mtime_of

from . import avi, matroska, mp4, mxf
from .reading import (
    BrokenError,
    NoMediaError,
    NotWhole,
    Reader,
    SpentError,
    Unknown,
    Verdict,
    Whole,
    ends_in_zeros,
)

log = logging.getLogger(__name__)

HEAD = 4 + 2 * 192 + 1
MOST_HOLES = 64
WORTH_A_WORD = 64 * 1024  # smaller ones are in padding; copies write more at once
# Without these flags a FIFO would block us, and a link could be swapped in after the scan.
OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


MP4, MXF, AVI, MATROSKA = "QuickTime or MP4", "MXF", "AVI", "Matroska"


class Container(NamedTuple):
    """One family of containers: the suffixes of its names, how it begins, and who judges it."""

    name: str
    suffixes: str
    begins: Callable[[bytes], bool]
    judge: Callable[[Reader], Verdict]


CONTAINERS = (
    Container(MP4, ".mov .qt .mp4 .m4v .m4a .3gp", mp4.begins_like_mp4, mp4.judge),
    Container(MXF, ".mxf", mxf.begins_like_mxf, mxf.judge),
    Container(AVI, ".avi", avi.begins_like_avi, avi.judge),
    Container(MATROSKA, ".mkv .mka .webm", matroska.begins_like_matroska, matroska.judge),
)


def _is_transport_stream(head: bytes) -> bool:
    """Its packets' first bytes; cameras (AVCHD) put four bytes before each."""
    return len(head) == HEAD and any(
        {head[begin + length * n] for n in range(3)} == {ord("G")}
        for begin, length in ((0, 188), (4, 192))
    )


def _is_program_stream(head: bytes) -> bool:
    return head.startswith(bytes.fromhex("000001ba"))


# What is named like one of those above now and then, and can be played all the same.
OTHERS = (
    (N_("an MPEG transport stream"), _is_transport_stream),
    (N_("an MPEG program stream"), _is_program_stream),
)
# How files of other kinds begin.
FOREIGN = {
    "ASF": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),
    "DV": bytes.fromhex("1f0700"),
    "FLV": b"FLV\1",
    "Ogg": b"OggS",
}


def verdict(path: Path, expected: tuple[int, int] | None = None) -> Verdict:
    """Judge a file by its content, reading at most 1 MiB of it. Blocking; raises nothing.

    `expected` is the (size, mtime_ns) that was observed; a file that differs, or that changes
    during the look, is not whole. A file that cannot be read is not whole either.
    """
    try:
        fd = os.open(path, OPEN_FLAGS)
    except PermissionError as error:
        denied = N_("may not be read by PostFlow's user ({reason})", reason=error.strerror)
        return NotWhole(reason=denied, unreadable=True)
    except OSError as error:
        return NotWhole(reason=N_("cannot be opened ({reason})", reason=error.strerror))
    try:
        return verdict_of_open(fd, path, expected)
    finally:
        os.close(fd)


def verdict_of_open(fd: int, path: Path, expected: tuple[int, int] | None = None) -> Verdict:
    """Likewise, of the file that is open at `path`."""
    try:
        return _verdict_of_open(fd, path, expected)
    except OSError as error:
        return NotWhole(reason=N_("cannot be read ({reason})", reason=error.strerror))
    except Exception as error:
        log.exception("A fault of our own, in judging %a:", str(path))
        kind = type(error).__name__
        return Unknown(reason=N_("could not be judged, by a fault of PostFlow ({kind})", kind=kind))


def judge(reader: Reader, suffix: str) -> Verdict:
    """Judge by what the content looks like, else by what the name's suffix promises."""
    try:
        return _judge(reader, suffix)
    except NoMediaError as error:
        return NotWhole(reason=error.args[0], no_media=True)
    except BrokenError as error:
        return NotWhole(reason=error.args[0])
    except SpentError:
        return Unknown(reason="has too many parts to be counted in small reads")


def container_of(head: bytes, suffix: str) -> Container | None:
    """The family by what the content begins like, else by what the name's suffix promises."""
    by_content = next((c for c in CONTAINERS if c.begins(head)), None)
    return by_content or next((c for c in CONTAINERS if suffix.lower() in c.suffixes.split()), None)


def _verdict_of_open(fd: int, path: Path, expected: tuple[int, int] | None) -> Verdict:
    before = os.fstat(fd)
    if not stat.S_ISREG(before.st_mode):
        return NotWhole(reason="is not a regular file")
    if expected is not None and _facts(before) != expected:
        return NotWhole(reason="has changed since it was last seen")
    result = judge(Reader(fd, before.st_size), path.suffix)
    if isinstance(result, Whole):
        result = _judge_holes(fd, before.st_size)
    after = path.stat(follow_symlinks=False)
    if _facts(before) != _facts(after) or _facts(before) != _facts(os.fstat(fd)):
        return NotWhole(reason="changed while it was looked at")
    return result


def _judge_holes(fd: int, size: int) -> Verdict:
    """Where the file system tells, a part that was never written; sparse copies have such too."""
    stop = 0
    try:
        for _ in range(MOST_HOLES):
            start = os.lseek(fd, stop, os.SEEK_HOLE)
            if start >= size:
                break
            stop = os.lseek(fd, start, os.SEEK_DATA)
            if stop - start >= WORTH_A_WORD:
                hole = N_(
                    "has a hole of {size:,} bytes at {start:,}: they were never written, or it is "
                    "a sparse copy",
                    size=stop - start,
                    start=start,
                )
                return Unknown(reason=hole)
    except OSError:
        pass  # this file system does not tell, or the rest is one hole without media in it
    return Whole()


def _facts(found: os.stat_result) -> tuple[int, int]:
    """No inode: some FUSE volumes make one up at each look."""
    return found.st_size, mtime_of(found)


def _judge(reader: Reader, suffix: str) -> Verdict:
    if reader.size == 0:
        raise BrokenError("is empty")
    head = reader.some(0, HEAD)
    other = next((name for name, begins in OTHERS if begins(head)), None)
    if other:
        return Unknown(reason=N_("is {other}, which never states its end", other=other))
    foreign = next((name for name, begins in FOREIGN.items() if head.startswith(begins)), None)
    container = None if foreign else container_of(head, suffix)
    if container is not None:
        return container.judge(reader)
    if not any(head) and ends_in_zeros(reader):
        raise BrokenError("begins and ends in zeros: it is not written yet")
    kind = foreign or suffix
    return Unknown(reason=N_("is of a kind ('{suffix}') that cannot be checked", suffix=kind))
