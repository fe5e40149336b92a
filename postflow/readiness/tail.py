"""The end of a file that was given its size before its content.

Copies over SMB and many transfer tools set the size first. What is not written yet reads as zeros.
"""

from __future__ import annotations

from postflow.readiness.reader import BrokenError, Reader

TAIL = 4096
HINT = 64


def ends_in_zeros(reader: Reader, end: int | None = None, length: int = TAIL) -> bool:
    """Whether the last `length` bytes before `end` (the file's end by default) are all zero."""
    stop = reader.size if end is None else end
    start = max(0, stop - length)
    return not any(reader.at(start, stop - start))


def demand_content(reader: Reader, end: int | None = None, length: int = TAIL) -> None:
    """BrokenError where the last `length` bytes before `end` are all zeros."""
    if ends_in_zeros(reader, end, length):
        raise BrokenError("has its full size, but its end is all zeros: it is still being copied")
