"""The bytes that arrived, in files named by id: a clip's own name never reaches the disk."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

COPY_BUFFER = 1 << 20


class Blobs:
    """One folder of stored bytes. What blocks here is called in a thread."""

    def __init__(self, folder: Path, *, keep: bool) -> None:
        self._folder = folder
        self._keep = keep
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, file_id: str) -> Path:
        return self._folder / file_id

    def incoming(self, file_id: str) -> Path:
        """Where bytes are gathered until they are all there."""
        return self._folder / f"{file_id}.incoming"

    def settle(self, file_id: str) -> None:
        """What came in is whole: keep it, or drop it if nothing is kept."""
        if self._keep:
            self.incoming(file_id).replace(self.path(file_id))
        else:
            self.incoming(file_id).unlink()

    def stitch(self, file_id: str, parts: Iterable[Path]) -> tuple[int, str]:
        """Join parts into one file; return size and SHA-256."""
        with self.incoming(file_id).open("wb+") as whole:
            for part in parts:
                with part.open("rb") as piece:
                    shutil.copyfileobj(piece, whole, COPY_BUFFER)
                part.unlink()
            whole.seek(0)
            digest = hashlib.file_digest(whole, "sha256").hexdigest()
            size = whole.seek(0, os.SEEK_END)
        self.settle(file_id)
        return size, digest

    def link(self, file_id: str, twin_id: str) -> None:
        """The twin has the same bytes."""
        if self.path(file_id).exists():
            self.path(twin_id).hardlink_to(self.path(file_id))

    def drop(self, file_id: str) -> None:
        self.path(file_id).unlink(missing_ok=True)
        self.incoming(file_id).unlink(missing_ok=True)

    def clear(self) -> None:
        for path in self._folder.iterdir():
            path.unlink(missing_ok=True)
