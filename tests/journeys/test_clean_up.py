"""What a run of `ingest` sweeps away, and that it goes on where it cannot."""

from __future__ import annotations

import os

import pytest

from postflow.state import lock_dir, state_dir

pytestmark = pytest.mark.prefect

NEVER = (0, 0)


async def test_locks_of_long_ago_are_swept_and_what_cannot_be_ends_no_run(
    loopback_studio: str,
) -> None:
    from postflow.flows.ingest import ingest

    old, ups, new, odd = (lock_dir() / f"{name}.lock" for name in ("old", "up", "new", "odd"))
    for lock in (old, ups, new):
        lock.touch()
    odd.mkdir()
    for lock in (old, ups, odd):
        os.utime(lock, NEVER)
    for blocked in (True, False):
        if not blocked:
            odd.rmdir()
        (state_dir() / "swept").unlink(missing_ok=True)
        assert (await ingest(loopback_studio, idle_timeout=0.0)).failed == {}
    assert [lock.exists() for lock in (old, ups, new)] == [False, True, True]
