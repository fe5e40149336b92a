"""A clip that is held open while it is sent, so that all that leaves is of one file."""

from __future__ import annotations

import os
from pathlib import Path

from postflow.errors import Retry, printable
from postflow.models import MediaFile

from .probe import NOT_THERE, explained, holds, open_clip
from .volume import mtime_of

State = tuple[int, int, int, int]


class PinnedFile:
    """An open clip and the state it was in: device, inode, size, mtime."""

    def __init__(self, media: MediaFile) -> None:
        """Raises Retry when its content is no longer that of `media`, else as `probe_media` does.

        Its size and mtime do not tell: another file, moved into its place, may have both.
        """
        self.path: Path = media.path
        self.size = media.size
        self.descriptor = open_clip(media.path)
        try:
            with explained(media.path):
                self._state = _state(os.fstat(self.descriptor))
                _demand(self.descriptor, media)
        except BaseException:
            os.close(self.descriptor)
            raise

    @property
    def mtime_ns(self) -> int:
        return self._state[3]

    def is_as_opened(self) -> bool:
        """Has nothing been written to the open file? Asks the descriptor only."""
        return _state(os.fstat(self.descriptor)) == self._state

    def is_in_place(self) -> bool:
        """The same, and is it still this file that the path leads to? May block on a mount.

        A path that cannot be asked just now has not changed.
        """
        try:
            at_path = _state(self.path.lstat())
        except OSError as error:
            return error.errno not in NOT_THERE and self.is_as_opened()
        return at_path == self._state and self.is_as_opened()

    def close(self) -> None:
        os.close(self.descriptor)


def _state(found: os.stat_result) -> State:
    return found.st_dev, found.st_ino, found.st_size, mtime_of(found)


def _demand(descriptor: int, media: MediaFile) -> None:
    if not holds(descriptor, media, by_content=True):
        raise changed(media)


def changed(media: MediaFile) -> Retry:
    return Retry(
        "{name} changed on disk meanwhile.",
        hint="Wait until the export is finished; it is then sent again.",
        code="file.changed",
        name=printable(media.name),
    )
