"""One at a time per key: among this loop's tasks, and among processes where a folder is given."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Hashable
from hashlib import sha256
from pathlib import Path

from filelock import AsyncFileLock, Timeout

from postflow.errors import Retry

_WAIT_SECONDS = 120.0


class KeyedLocks:
    """Locks that exist only while somebody wants them."""

    def __init__(self) -> None:
        self._locks: dict[Hashable, tuple[asyncio.Lock, int]] = {}

    @contextlib.asynccontextmanager
    async def hold(self, *key: Hashable) -> AsyncIterator[None]:
        place = (id(asyncio.get_running_loop()), key)
        lock, holders = self._locks.get(place, (asyncio.Lock(), 0))
        self._locks[place] = (lock, holders + 1)
        try:
            async with lock:
                yield
        finally:
            lock, holders = self._locks.pop(place)
            if holders > 1:
                self._locks[place] = (lock, holders - 1)


@contextlib.asynccontextmanager
async def machine_lock(lock_dir: Path | None, *key: str) -> AsyncIterator[None]:
    """Hold `key` against the other processes of this machine; nothing without a `lock_dir`.

    Raises `Retry` when it cannot be had for two minutes.
    """
    if lock_dir is None:
        yield
        return
    await asyncio.to_thread(lock_dir.mkdir, parents=True, exist_ok=True, mode=0o700)
    name = sha256("\0".join(key).encode()).hexdigest()[:32]
    lock = AsyncFileLock(lock_dir / f"{name}.lock", timeout=_WAIT_SECONDS, mode=0o600)
    try:
        await lock.acquire()
    except Timeout as error:
        raise Retry(
            "Another process holds a lock of PostFlow for two minutes already.",
            hint=f"If none is running, restart PostFlow. The locks are in {lock_dir}.",
            code="postflow.locked",
        ) from error
    try:
        yield
    finally:
        await lock.release()
