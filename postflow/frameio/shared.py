"""What all clients of one process share about one Frame.io host: rates, folder ids, uploads."""

from __future__ import annotations

import functools
import time
import unicodedata

from .pacing import Pacing

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
        self.uploads: set[str] = set()


@functools.cache
def shared_for(base_url: str) -> Shared:
    return Shared()


def nfc(name: str) -> str:
    """macOS writes names decomposed, others composed; we compare and send them composed."""
    return unicodedata.normalize("NFC", name)
