"""One at a time on this machine, whoever asks: at a clip's upload, at a version stack."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import xxhash
from filelock import AsyncFileLock, BaseAsyncFileLock, Timeout

from .errors import Retry
from .models import Folder
from .state import lock_dir

log = logging.getLogger("postflow.transfer")

# Seconds of waiting of which nobody has to hear.
SHORT = 10.0


@asynccontextmanager
async def one_at_a_time(
    what: str, folder: Folder, name: str, *, timeout: float
) -> AsyncIterator[None]:
    """Held across processes for a name in a folder. Raises Retry `clip.busy` after `timeout` s."""
    key = xxhash.xxh3_64_hexdigest(f"{folder.id}\0{name}".encode())
    lock = AsyncFileLock(lock_dir() / f"{what}-{key}.lock", mode=0o600)
    try:
        await _acquire(lock, name, timeout)
    except Timeout as error:
        raise Retry(
            f"Another run has been busy with {name} for {timeout:.0f} s.",
            hint="Look for it in the Prefect UI; cancel it if it hangs.",
            code="clip.busy",
        ) from error
    try:
        yield
    finally:
        await lock.release()


async def _acquire(lock: BaseAsyncFileLock, name: str, timeout: float) -> None:
    try:
        await lock.acquire(timeout=min(SHORT, timeout))
    except Timeout:
        log.warning("Another run is busy with %s; it is waited for, %.0f s at most.", name, timeout)
        await lock.acquire(timeout=max(0.0, timeout - SHORT))
