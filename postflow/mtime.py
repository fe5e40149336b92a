"""When a file was last written, in nanoseconds since 1970, as everything that compares it has it.

A file system may hold any time, as of a clock gone wild; the ledger holds 64 bits, 1677 to 2262.
"""

from __future__ import annotations

import os

EARLIEST, LATEST = -(2**63), 2**63 - 1


def mtime_of(found: os.stat_result) -> int:
    return within(found.st_mtime_ns)


def within(nanoseconds: int) -> int:
    """The nearest time that can be held."""
    return max(EARLIEST, min(nanoseconds, LATEST))
