"""Small reads of a file of any size, counted."""

from __future__ import annotations

import os

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
    """Positioned reads from an open file, at most `limit` bytes in all.

    `read` counts the bytes read so far, `calls` the reads.
    """

    def __init__(self, fd: int, size: int, *, limit: int = MOST_BYTES) -> None:
        self._fd = fd
        self._limit = limit
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
        if self.read + length > self._limit or self.calls >= MOST_CALLS:
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
