"""Folders that were met a moment ago, by project and path."""

from __future__ import annotations

import time

FOLDER_SECONDS = 600.0
# What was not in a list, or in a new folder, so many seconds ago is taken for not there.
LIST_SECONDS = 60.0


class FolderCache:
    """Folder ids by project and path. An id is trusted for ten minutes, or until a 404."""

    def __init__(self, seconds: float = FOLDER_SECONDS) -> None:
        self._seconds = seconds
        self.list_seconds = min(seconds, LIST_SECONDS)
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

    def forget_path(self, project_id: str, path: tuple[str, ...]) -> None:
        """Drop a path and all below it."""
        for project, known in list(self._ids):
            if project == project_id and known[: len(path)] == path:
                del self._ids[project, known]
