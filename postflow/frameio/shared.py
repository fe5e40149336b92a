"""What all clients of one process share about one Frame.io host: rates, folder ids, locks."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
import unicodedata
from collections.abc import AsyncIterator, Hashable
from hashlib import sha256
from pathlib import Path

from filelock import AsyncFileLock, Timeout

from postflow.errors import Retry

from .pacing import Pacing

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


FOLDER_SECONDS = 600.0


class FolderCache:
    """Folder ids by project and path. An id is trusted for ten minutes, or until a 404."""

    def __init__(self, seconds: float = FOLDER_SECONDS) -> None:
        self._seconds = seconds
        self._ids: dict[tuple[str, tuple[str, ...]], tuple[str, float]] = {}

    def get(self, project_id: str, path: tuple[str, ...]) -> str | None:
        folder_id, until = self._ids.get((project_id, path), ("", 0.0))
        return folder_id if time.monotonic() < until else None

    def put(self, project_id: str, path: tuple[str, ...], folder_id: str) -> None:
        self._ids[project_id, path] = (folder_id, time.monotonic() + self._seconds)

    def forget(self, folder_id: str) -> None:
        """Drop a folder and all below it."""
        gone = [key for key, (known, _) in self._ids.items() if known == folder_id]
        for project_id, path in gone:
            self.forget_path(project_id, path)

    def forget_path(self, project_id: str, path: tuple[str, ...]) -> bool:
        """Drop a path and all below it; whether anything was known there."""
        gone = [
            (project, known)
            for project, known in self._ids
            if project == project_id and known[: len(path)] == path
        ]
        for key in gone:
            del self._ids[key]
        return bool(gone)


class Shared:
    """Survives the single client: tasks open and close theirs all the time."""

    def __init__(self) -> None:
        self.pacing = Pacing()
        self.folders = FolderCache()
        self.locks = KeyedLocks()
        self.uploads: set[str] = set()


@functools.cache
def shared_for(base_url: str) -> Shared:
    return Shared()


def nfc(name: str) -> str:
    """macOS writes names decomposed, others composed; we compare and send them composed."""
    return unicodedata.normalize("NFC", name)
