"""The volume a file is on: local or shared with other hosts, and it may never answer."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal, TypeVar

import psutil

from postflow.errors import Retry
from postflow.models import FrozenModel

TIMEOUT = 120.0  # seconds

T = TypeVar("T")

LINUX = {"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "reiserfs", "xfs", "zfs"}
APPLE = {"apfs", "hfs", "ufs"}
WINDOWS = {"exfat", "fat32", "fuseblk", "msdos", "ntfs", "ntfs3", "refs", "vfat"}
IMAGES_AND_MEMORY = {"iso9660", "overlay", "ramfs", "rootfs", "squashfs", "tmpfs", "udf"}
# Only what is known to be a disk of this machine: everything else is treated as shared.
LOCAL_TYPES = frozenset(LINUX | APPLE | WINDOWS | IMAGES_AND_MEMORY)


class FileSystem(FrozenModel):
    """Where a folder lives. `kind` is "network" for anything other hosts may write to (FUSE too).

    Other hosts' writes to such a volume raise no events here, and appear late and in pieces.
    """

    kind: Literal["local", "network"]
    type: str

    @property
    def has_events(self) -> bool:
        """Whether the kernel tells of every change."""
        return self.kind == "local"

    @property
    def quiet(self) -> float:
        """Seconds a file should stand still before it counts as settled."""
        return 10.0 if self.kind == "local" else 60.0

    @property
    def full_every(self) -> float:
        """Seconds between two scans that trust no directory's mtime."""
        return 600.0 if self.kind == "local" else 120.0

    @property
    def recent_every(self) -> float:
        """Seconds between two looks at the clips written last, in case one is overwritten."""
        return 2.0 if self.kind == "local" else 5.0

    @property
    def clock_step(self) -> float:
        """Seconds within which two changes of a directory may leave the same mtime."""
        return 3.0 if self.kind == "local" else 60.0


def file_system_of(path: Path) -> FileSystem:
    """The file system a path is on. One that cannot be told counts as network."""
    real = Path(os.path.realpath(path))
    found = [
        part for part in psutil.disk_partitions(all=True) if real.is_relative_to(part.mountpoint)
    ]
    if not found:
        return FileSystem(kind="network", type="unknown")
    # The longest mount point; of two on the same one, the later lies on top.
    part = max(reversed(found), key=lambda part: len(part.mountpoint))
    return FileSystem(kind=_kind(part.fstype, part.opts), type=part.fstype)


def _kind(type_: str, options: str) -> Literal["local", "network"]:
    is_remote = "remote" in options.split(",")
    return "local" if type_.casefold() in LOCAL_TYPES and not is_remote else "network"


EARLIEST, LATEST = -(2**63), 2**63 - 1


def is_folder(path: Path) -> bool:
    """False, and no error as of `Path.is_dir`, for a dead mount or a name that is too long."""
    return os.path.isdir(path)  # noqa: PTH112


def mtime_of(found: os.stat_result) -> int:
    return within(found.st_mtime_ns)


def within(nanoseconds: int) -> int:
    """The nearest time that can be held."""
    return max(EARLIEST, min(nanoseconds, LATEST))


SECOND = 10**9
FAT = 2 * SECOND
# Nanoseconds that mtimes are whole multiples of, coarsest first: seconds, exFAT's, Windows' 100 ns.
STEPS = (SECOND, 10**7, 10**6, 10**3, 100)


def same_mtime(one: int, other: int) -> bool:
    """Can both be of one moment, since one host sees it more coarsely than the other?

    Two that are alike in precision are of one host, or of hosts alike, and have to be equal.
    """
    if one == other:
        return True
    for step in STEPS:
        if coarse := [each for each in (one, other) if each % step == 0]:
            within_step = FAT if coarse[0] % FAT == 0 else step
            return len(coarse) == 1 and abs(one - other) < within_step
    return False


class DaemonThread:
    """Runs calls one after the other in a thread that lives until `close`.

    A daemon: a call that hangs on a dead mount never comes back, and a pool's thread would be
    waited for when the process ends.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def submit(self, call: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        self._calls.put((future, partial(copy_context().run, call)))
        return future

    def close(self) -> None:
        """Let the thread end once its calls are done."""
        self._calls.put(None)

    def _work(self) -> None:
        while (item := self._calls.get()) is not None:
            _run(*item)
            del item


def _run(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(call())
    except BaseException as error:  # to whoever waits for the call, as executors do
        future.set_exception(error)


async def ask(work: Callable[[], T]) -> T:
    """Do `work` in a thread of its own, so that one that hangs holds up no other."""
    thread = DaemonThread("volume")
    answer = thread.submit(work)
    thread.close()
    return await asyncio.wrap_future(answer)


async def in_time(asking: Awaitable[T], path: Path, *, timeout: float = TIMEOUT) -> T:
    """The answer; raises Retry `volume.hangs` when there is none after `timeout` seconds."""
    try:
        async with asyncio.timeout(timeout):
            return await asking
    except TimeoutError:
        raise Retry(
            "The volume of {path} does not answer.",
            hint="Mount it anew; whoever looks at it hangs.",
            code="volume.hangs",
            path=path,
        ) from None


async def ask_in_time(work: Callable[[], T], path: Path, *, timeout: float = TIMEOUT) -> T:
    """What `work` answers, from a thread of its own; raises Retry `volume.hangs` likewise."""
    return await in_time(ask(work), path, timeout=timeout)
