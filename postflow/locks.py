"""One at a time on this machine: a clip's upload, a version stack, a new folder, a sign-in."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import xxhash
from filelock import AsyncFileLock, BaseAsyncFileLock, Timeout

from .errors import Retry
from .state import lock_dir

log = logging.getLogger("postflow.transfer")

LIMIT = 120.0
# Seconds of waiting of which nobody has to hear.
SHORT = 10.0


@asynccontextmanager
async def one_at_a_time(
    kind: str, *key: str, folder: Path | None = None, clip: str = "", timeout: float = LIMIT
) -> AsyncIterator[None]:
    """Held against every other task and process that shares `folder`, or PostFlow's own.

    `clip` is part of the key, and named to people. Raises Retry after `timeout` seconds:
    `clip.busy` with a clip, `postflow.locked` without.
    """
    folder = folder or lock_dir()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest = xxhash.xxh3_64_hexdigest("\0".join([*key, clip]).encode())
    lock = AsyncFileLock(folder / f"{kind}-{digest}.lock", mode=0o600)
    try:
        await _acquire(lock, clip, timeout)
    except Timeout as error:
        raise (_busy(clip, timeout) if clip else _locked(folder)) from error
    try:
        yield
    finally:
        await lock.release()


async def _acquire(lock: BaseAsyncFileLock, clip: str, timeout: float) -> None:
    quietly = min(SHORT, timeout) if clip else timeout
    try:
        await lock.acquire(timeout=quietly)
    except Timeout:
        if not clip:
            raise
        log.warning("Another run is busy with %s; it is waited for, %.0f s at most.", clip, timeout)
        await lock.acquire(timeout=max(0.0, timeout - SHORT))


def _busy(clip: str, timeout: float) -> Retry:
    return Retry(
        "Another run has been busy with {clip} for {timeout:.0f} s.",
        hint="Look for it in `postflow status`; if it hangs, `postflow cancel` it.",
        code="clip.busy",
        clip=clip,
        timeout=timeout,
    )


def _locked(folder: Path) -> Retry:
    return Retry(
        "Another process holds a lock of PostFlow for two minutes already.",
        hint="If none is running, restart PostFlow. The locks are in {folder}.",
        code="postflow.locked",
        folder=folder,
    )
