"""Times of last writing that no clock should give, and that file systems hold all the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FAR_FUTURE, BEFORE_1970 = 9_300_000_000, -(10**9)
WILD = [pytest.param(FAR_FUTURE, id="2264"), pytest.param(BEFORE_1970, id="1938")]


def written_at(path: Path, seconds: int) -> None:
    """Give the file that time; skips where its file system holds no such time."""
    os.utime(path, (seconds, seconds))
    if path.stat().st_mtime_ns != seconds * 10**9:
        pytest.skip(f"this file system holds no such time: {seconds}")
