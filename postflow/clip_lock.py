"""One at a time on this machine, whoever asks: at a clip's upload, at a version stack."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import xxhash
from filelock import AsyncFileLock, Timeout

from postflow.errors import Retry
from postflow.models import Folder
from postflow.places import lock_dir


@asynccontextmanager
async def one_at_a_time(
    what: str, folder: Folder, name: str, *, timeout: float
) -> AsyncIterator[None]:
    """Held across processes for a name in a folder. Raises Retry `clip.busy` after `timeout` s."""
    key = xxhash.xxh3_64_hexdigest(f"{folder.id}\0{name}".encode())
    lock = AsyncFileLock(lock_dir() / f"{what}-{key}.lock", timeout=timeout)
    try:
        await lock.acquire()
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
