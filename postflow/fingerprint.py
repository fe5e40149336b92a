"""A clip's content in a few reads: enough to tell two renders apart, cheap on a slow mount.

Where the container is understood, what is seen and heard (the essence) has a print of its own, so
that metadata which a program writes into a delivered clip does not make it another one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import xxhash

from postflow.readiness.essence import Range, essence_of
from postflow.readiness.reader import Reader

SAMPLE = 1 << 14
SAMPLES = 128


class Print(NamedTuple):
    """Hex xxh3-128 of the essence, or of all where nothing tells them apart, and of the `rest`."""

    essence: str
    rest: str


def fingerprint(descriptor: int, size: int, suffix: str = "") -> Print:
    """Of head, tail and 126 places between, 16 KiB each; of all where it is no larger.

    Two files that differ only between the samples have the same fingerprint.
    """
    found = essence_of(Reader(descriptor, size), suffix)
    if found is None:
        return Print(_digest(descriptor, [Range(0, size)], b"all"), "")
    return Print(
        _digest(descriptor, found.ranges, b"essence" + found.described),
        _digest(descriptor, _others(found.ranges, size), b"rest"),
    )


def _digest(descriptor: int, ranges: Sequence[Range], about: bytes) -> str:
    length = sum(each.stop - each.start for each in ranges)
    digest = xxhash.xxh3_128(about + length.to_bytes(8, "big"))
    for offset in _offsets(length):
        digest.update(_sample(descriptor, ranges, offset))
    return digest.hexdigest()


def _offsets(length: int) -> Iterator[int]:
    """Evenly spread, the first at 0, the last ending at the end, none overlapping."""
    if length <= SAMPLE * SAMPLES:
        yield from range(0, length, SAMPLE)
        return
    for place in range(SAMPLES):
        yield place * (length - SAMPLE) // (SAMPLES - 1)


def _sample(descriptor: int, ranges: Sequence[Range], offset: int) -> bytes:
    """A sample at `offset` of the ranges put one behind the other."""
    found = b""
    for start, stop in ranges:
        if offset < stop - start and len(found) < SAMPLE:
            wanted = min(SAMPLE - len(found), stop - start - offset)
            found += os.pread(descriptor, wanted, start + offset)
            offset = 0
        else:
            offset -= min(offset, stop - start)
    return found


def _others(ranges: Sequence[Range], size: int) -> list[Range]:
    """What lies between, in front of and behind the ranges."""
    stops, starts = [0, *(r.stop for r in ranges)], [*(r.start for r in ranges), size]
    return [Range(a, b) for a, b in zip(stops, starts, strict=True) if a < b]
