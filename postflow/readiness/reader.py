"""Small reads of a file of any size, counted."""

from __future__ import annotations

import os

MOST_BYTES = 1024 * 1024


class BrokenError(Exception):
    """The container contradicts itself. The text completes the sentence "The file …"."""


class SpentError(Exception):
    """The walk would read more than it may."""


class Reader:
    """Positioned reads from an open file, at most `limit` bytes in all.

    `read` counts the bytes read so far, `calls` the reads.
    """

    def __init__(self, fd: int, size: int, *, limit: int = MOST_BYTES) -> None:
        self._fd = fd
        self._limit = limit
        self.size = size
        self.read = 0
        self.calls = 0

    def at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes. BrokenError where the file ends before them."""
        if offset < 0 or offset + length > self.size:
            raise BrokenError("ends in the middle of its structure")
        if self.read + length > self._limit:
            raise SpentError
        self.calls += 1
        self.read += length
        data = os.pread(self._fd, length, offset)
        if len(data) < length:
            raise BrokenError("became shorter while it was looked at")
        return data

    def number(self, offset: int, length: int, *, little: bool = False) -> int:
        """An unsigned integer of `length` bytes, big-endian unless `little`."""
        return int.from_bytes(self.at(offset, length), "little" if little else "big")
