"""Removes what nobody needs any more, so that months of running fill no disk."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

DAY = timedelta(days=1)


def is_due(mark: Path, every: timedelta = DAY) -> bool:
    """Once in so much time, for all processes that ask with the same mark."""
    if mark.exists() and _age(mark) < every:
        return False
    mark.touch()
    return True


def sweep(files: Iterable[Path], *, older: timedelta) -> int:
    """Remove the files that were last written so long ago; how many. Blocking."""
    removed = 0
    for path in files:
        if _age(path) > older:
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _age(path: Path) -> timedelta:
    """Nothing for a file that somebody else has just removed."""
    try:
        return timedelta(seconds=time.time() - path.stat().st_mtime)
    except FileNotFoundError:
        return timedelta()
