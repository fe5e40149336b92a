"""Whether a file is whole, judged by its own container with a few small reads."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from postflow.mtime import mtime_of
from postflow.readiness import avi, matroska, mp4, mxf
from postflow.readiness.reader import BrokenError, Reader, SpentError
from postflow.readiness.tail import demand_content
from postflow.readiness.verdicts import NotWhole, Unknown, Verdict

HEAD = 16
# Without these flags a FIFO would block us, and a link could be swapped in after the scan.
OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class Container(NamedTuple):
    """One family of containers: how it begins, and who judges it."""

    name: str
    suffixes: frozenset[str]
    begins: Callable[[bytes], bool]
    judge: Callable[[Reader], Verdict]


CONTAINERS = (
    Container(
        "QuickTime or MP4",
        frozenset((".mov", ".qt", ".mp4", ".m4v", ".m4a", ".3gp")),
        mp4.begins_like_mp4,
        mp4.judge,
    ),
    Container("MXF", frozenset((".mxf",)), mxf.begins_like_mxf, mxf.judge),
    Container("AVI", frozenset((".avi",)), avi.begins_like_avi, avi.judge),
    Container(
        "Matroska",
        frozenset((".mkv", ".mka", ".webm")),
        matroska.begins_like_matroska,
        matroska.judge,
    ),
)


def verdict(path: Path, expected: tuple[int, int] | None = None) -> Verdict:
    """Judge a file by its content, reading at most 1 MiB of it. Blocking.

    `expected` is the (size, mtime_ns) that was observed; a file that differs, or that changes
    during the look, is not whole. A file that cannot be read is not whole either.
    """
    try:
        fd = os.open(path, OPEN_FLAGS)
    except PermissionError as error:
        denied = f"may not be read by PostFlow's user ({error.strerror})"
        return NotWhole(reason=denied, unreadable=True)
    except OSError as error:
        return NotWhole(reason=f"cannot be opened ({error.strerror})")
    try:
        return _verdict_of_open(fd, path, expected)
    except OSError as error:
        return NotWhole(reason=f"cannot be read ({error.strerror})")
    finally:
        os.close(fd)


def judge(reader: Reader, suffix: str) -> Verdict:
    """Judge by what the content looks like, else by what the name's suffix promises."""
    try:
        return _judge(reader, suffix)
    except BrokenError as error:
        return NotWhole(reason=str(error))
    except SpentError:
        return Unknown(reason="has too many parts to be counted in small reads")


def _verdict_of_open(fd: int, path: Path, expected: tuple[int, int] | None) -> Verdict:
    before = os.fstat(fd)
    if not stat.S_ISREG(before.st_mode):
        return NotWhole(reason="is not a regular file")
    if expected is not None and _facts(before) != expected:
        return NotWhole(reason="has changed since it was last seen")
    result = judge(Reader(fd, before.st_size), path.suffix)
    after = path.stat(follow_symlinks=False)
    if _facts(before) != _facts(after) or _facts(before) != _facts(os.fstat(fd)):
        return NotWhole(reason="changed while it was looked at")
    return result


def _facts(found: os.stat_result) -> tuple[int, int]:
    """No inode: some FUSE volumes make one up at each look."""
    return found.st_size, mtime_of(found)


def _judge(reader: Reader, suffix: str) -> Verdict:
    if reader.size == 0:
        raise BrokenError("is empty")
    container = _container(reader.at(0, min(HEAD, reader.size)), suffix.lower())
    if container is not None:
        return container.judge(reader)
    demand_content(reader)
    return Unknown(reason=f"is of a kind ('{suffix}') that cannot be checked")


def _container(head: bytes, suffix: str) -> Container | None:
    by_content = next((c for c in CONTAINERS if c.begins(head)), None)
    by_name = next((c for c in CONTAINERS if suffix in c.suffixes), None)
    if by_content is None and by_name is not None and not _may_run_in(by_name):
        raise BrokenError(f"does not begin as {by_name.name} does")
    return by_content or by_name


def _may_run_in(container: Container) -> bool:
    """MXF allows foreign bytes in front; its own judge looks behind them."""
    return container.judge is mxf.judge
