"""Names that are never a finished clip."""

from __future__ import annotations

TEMPORARY_SUFFIXES = (
    ".tmp",
    ".temp",
    ".part",
    ".partial",
    ".crdownload",
    ".download",
    ".filepart",
    ".lock",
    ".lck",
    "~",
)
# What operating systems and storage servers keep in a folder for themselves.
HOUSEKEEPING = frozenset(
    (
        "@eadir",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "thumbs.db",
        "desktop.ini",
    )
)
CONFLICT = "_conflicted"


def is_ignored(name: str) -> bool:
    """Hidden, temporary, somebody's housekeeping, or LucidLink's second copy after a conflict.

    Holds for files and for folders with all that is in them. Our own files begin with a dot.
    """
    lower = name.casefold()
    return (
        lower.startswith((".", "~$"))
        or lower.endswith(TEMPORARY_SUFFIXES)
        or lower in HOUSEKEEPING
        or CONFLICT in lower
    )
