"""What stands at the end of a file: content, zeros, or what belongs to nothing in it.

Copies over SMB and many transfer tools set the size first. What is not written yet reads as zeros.
"""

from __future__ import annotations

from .reader import Reader
from .verdicts import Unknown, Verdict, Whole

TAIL = 4096
HINT = 64
TERMINATOR = 16
STRANGER = "kept there by its camera or its program, or a copy that is not finished"


def all_zeros(reader: Reader, start: int, stop: int) -> bool:
    """Whether these bytes are zeros, by their first and their last 4 KiB."""
    near = min(start + TAIL, stop)
    return not any(reader.at(start, near - start)) and ends_in_zeros(reader, stop, stop - near)


def ends_in_zeros(reader: Reader, end: int | None = None, length: int = TAIL) -> bool:
    """Whether up to `length` bytes before `end` (the file's end by default) are all zero."""
    stop = reader.size if end is None else end
    start = max(0, stop - min(length, TAIL))
    return not any(reader.at(start, stop - start))


def judge_behind(reader: Reader, end: int) -> Verdict:
    """What follows a whole structure that ended at `end` and is no part of it."""
    behind = reader.size - end
    if behind <= 0:
        return Whole()
    zeros = all_zeros(reader, end, reader.size)
    if zeros and behind <= TERMINATOR:
        return Whole()
    what = "zeros" if zeros else "bytes"
    return Unknown(reason=f"has {behind:,} {what} behind its end ({STRANGER})")
