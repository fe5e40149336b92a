"""A reader that reads little, and the verdicts that a container's module can return."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import AfterValidator, SkipValidation

from postflow.errors import printable
from postflow.language import N_, Words, shortened
from postflow.models import FrozenModel

LONGEST_REMARK = 200


def _fit_to_print(remark: str) -> str:
    """Parts of it may come out of the file, and files are hostile input."""
    if isinstance(remark, Words) and remark.facts:
        kept = {
            name: _fit_to_print(fact) if isinstance(fact, str) else fact
            for name, fact in remark.facts.items()
        }
        return N_(remark.template, **kept)
    return Words(shortened(printable(remark), LONGEST_REMARK))


Remark = Annotated[str, SkipValidation, AfterValidator(_fit_to_print)]


class Whole(FrozenModel):
    """The container says where it ends, the file ends there, and what its index names is there."""


class NotWhole(FrozenModel):
    """Something is missing, provably. `reason` completes the sentence "The file …".

    `open_ended`: sound up to its end, but nothing in it says that this is the end. So look files
    of a killed encoder, and those of the few that never write an end. `no_media`: it is no media
    container.

    `unreadable`: nobody could look; time does not mend that, so a person hears of it at once.
    """

    reason: Remark
    open_ended: bool = False
    no_media: bool = False
    unreadable: bool = False


FAULT = N_("PostFlow met a fault of its own")


def our_fault(error: Exception) -> NotWhole:
    """What nobody has foreseen about one file is that file's trouble alone."""
    kind = type(error).__name__
    reason = N_("could not be judged: {fault} ({kind}); please report it", fault=FAULT, kind=kind)
    return NotWhole(reason=reason, unreadable=True)


class Unknown(FrozenModel):
    """Nothing is missing provably, yet something is odd; a longer quiet time has to do.

    `reason` goes along with the clip.
    """

    reason: Remark


Verdict = Whole | NotWhole | Unknown


MOST_BYTES = 1024 * 1024
MOST_CALLS = 8192
MOST_LOADED = 256 * 1024
WIDEST_NUMBER = 8


class BrokenError(Exception):
    """The container contradicts itself. The text completes the sentence "The file …"."""


class NoMediaError(BrokenError):
    """It is no container of that kind at all, or none whose writer got as far as its begin."""


class SpentError(Exception):
    """The walk would read more than it may."""


class Reader:
    """Positioned reads from an open file, at most a MiB in all.

    `read` counts the bytes read so far, `calls` the reads.
    """

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self._loaded = b""
        self._loaded_at = 0
        self.size = size
        self.read = 0
        self.calls = 0

    def load(self, start: int, stop: int) -> None:
        """Read a part at once, as far as it is small, so that walking in it costs no reads."""
        if 0 <= start < stop <= self.size and stop - start <= MOST_LOADED:
            self._loaded, self._loaded_at = self.at(start, stop - start), start

    def at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes. BrokenError where the file does not have them."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise BrokenError("ends in the middle of its structure")
        inside = offset - self._loaded_at
        if inside >= 0 and inside + length <= len(self._loaded):
            return self._loaded[inside : inside + length]
        if self.read + length > MOST_BYTES or self.calls >= MOST_CALLS:
            raise SpentError
        self.calls += 1
        self.read += length
        data = os.pread(self._fd, length, offset)
        if len(data) < length:
            raise BrokenError("became shorter while it was looked at")
        return data

    def some(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes: what the file has of them."""
        is_inside = 0 <= offset < self.size
        return self.at(offset, min(length, self.size - offset)) if is_inside else b""

    def number(self, offset: int, length: int) -> int:
        """An unsigned big-endian integer of `length` bytes, eight at most."""
        if length > WIDEST_NUMBER:
            raise BrokenError("has a number in it that is too long for one")
        return int.from_bytes(self.at(offset, length), "big")


def name_of(kind: bytes) -> str:
    """A part's four letters for people."""
    return "".join(chr(byte) if 32 <= byte < 127 else "?" for byte in kind)


def spread(count: int, most: int = 12) -> list[int]:
    """Up to `most` indexes below `count`, evenly spread, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return [place * (count - 1) // (most - 1) for place in range(most)]


TAIL = 4096
HINT = 64
TERMINATOR = 16
ASTRAY = N_("has a table of contents that names a place where nothing is")
HOLE = N_("has zeros where its index names a part: it is cut or not written yet")
STRANGER = N_("kept there by its camera or its program, or a copy that is not finished")


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
    told = (
        N_("has {behind:,} zeros behind its end ({stranger})")
        if zeros
        else N_("has {behind:,} bytes behind its end ({stranger})")
    )
    return Unknown(reason=N_(told, behind=behind, stranger=STRANGER))
