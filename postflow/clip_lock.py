"""One upload of a clip at a time on this machine, whoever asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import xxhash
from filelock import AsyncFileLock, Timeout

from postflow.errors import Retry
from postflow.models import Folder, MediaFile


@asynccontextmanager
async def clip_lock(
    lock_dir: Path, folder: Folder, media: MediaFile, *, timeout: float
) -> AsyncIterator[None]:
    """Held across processes for a name in a folder. Raises Retry after `timeout` seconds."""
    key = xxhash.xxh3_64_hexdigest(f"{folder.id}\0{media.name}".encode())
    lock = AsyncFileLock(lock_dir / f"clip-{key}.lock", timeout=timeout)
    try:
        await lock.acquire()
    except Timeout as error:
        raise Retry(
            f"Another run has been delivering {media.name} for {timeout:.0f} s.",
            hint="Look for it in the Prefect UI; cancel it if it hangs.",
            code="clip.busy",
        ) from error
    try:
        yield
    finally:
        await lock.release()
