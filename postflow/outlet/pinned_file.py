"""A file held open, so that what was checked is what is sent."""

from __future__ import annotations

import os
from pathlib import Path

from postflow.errors import Retry
from postflow.media.filesystem import mtime_of
from postflow.media.probe import NOT_THERE, explained, holds, open_clip, printable
from postflow.models import MediaFile

from .byte_range import Validators

State = tuple[int, int, int, int]


class PinnedFile:
    """An open clip and the state it was in: device, inode, size, mtime."""

    def __init__(self, media: MediaFile) -> None:
        """Raises Retry when the file is no longer what `media` says, else as `look_at` does."""
        self.path: Path = media.path
        self.descriptor = open_clip(media.path)
        try:
            with explained(media.path):
                self._state = _state(os.fstat(self.descriptor))
                _check_content(self.descriptor, media)
        except BaseException:
            os.close(self.descriptor)
            raise
        self.size = media.size

    @property
    def validators(self) -> Validators:
        mtime_ns = self._state[3]
        return Validators(f'"{mtime_ns:x}-{self.size:x}"', mtime_ns // 10**9)

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


def _check_content(descriptor: int, media: MediaFile) -> None:
    if not holds(descriptor, media):
        raise Retry(
            f"{printable(media.name)} changed after it was looked at.",
            hint="Wait until the render or copy is finished, then try again.",
            code="file.changed",
        )
