"""What kind of file system a folder is on, and so how to watch it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import psutil

from postflow.models import FrozenModel

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
    mount_point: Path
    source: str

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
    found = [part for part in psutil.disk_partitions(all=True) if _holds(part.mountpoint, real)]
    if not found:
        return FileSystem(kind="network", type="unknown", mount_point=path, source="")
    # The longest mount point; of two on the same one, the later lies on top.
    part = max(reversed(found), key=lambda part: len(part.mountpoint))
    return FileSystem(
        kind=_kind(part.fstype, part.opts),
        type=part.fstype,
        mount_point=Path(part.mountpoint),
        source=part.device,
    )


def _holds(mount_point: str, path: Path) -> bool:
    return path.is_relative_to(mount_point)


def _kind(type_: str, options: str) -> Literal["local", "network"]:
    is_remote = "remote" in options.split(",")
    return "local" if type_.casefold() in LOCAL_TYPES and not is_remote else "network"


EARLIEST, LATEST = -(2**63), 2**63 - 1


def mtime_of(found: os.stat_result) -> int:
    return within(found.st_mtime_ns)


def within(nanoseconds: int) -> int:
    """The nearest time that can be held."""
    return max(EARLIEST, min(nanoseconds, LATEST))
