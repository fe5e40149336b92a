"""Version stacks: the versions of one clip on one stack, oldest at the bottom."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from postflow.errors import Skip
from postflow.frameio import FrameioClient
from postflow.frameio.contents import Contents
from postflow.frameio.stacks import MOST, VersionStack
from postflow.models import Folder, RemoteFile
from postflow.naming import Naming

log = logging.getLogger(__name__)


class Family:
    """What belongs on one stack, told by file names."""

    def __init__(self, naming: Naming, stack: str) -> None:
        self._naming = naming
        self._stack = stack

    def holds(self, name: str) -> bool:
        return self._read(name)[0] == self._stack

    def in_order(self, files: Sequence[RemoteFile]) -> list[RemoteFile]:
        """Lowest version first; of equal versions the one that came first."""
        return sorted(files, key=lambda file: (self._read(file.name)[1], file.created_at, file.id))

    def loose(self, found: Contents) -> list[RemoteFile]:
        """All files of the family that are on no stack."""
        return [file for file in found.files if self.holds(file.name)]

    def whole(self, found: Contents) -> list[RemoteFile]:
        """Those whose bytes are in; a placeholder may yet be withdrawn."""
        return [file for file in self.loose(found) if file.status != "created"]

    def stack(self, found: Contents) -> VersionStack | None:
        """The oldest stack of the family; there is one unless people made more."""
        return next((s for s in found.stacks if s.head and self.holds(s.head.name)), None)

    def _read(self, name: str) -> tuple[str | None, int]:
        try:
            known = self._naming.identify(name)
        except Skip:
            return self._read_by_hand(name)
        return known.stack, known.version_number or 0

    def _read_by_hand(self, name: str) -> tuple[str | None, int]:
        """Names that no rule reads stack with their own versions."""
        try:
            stack, version = self._naming.stack_by_hand(name)
        except Skip:
            return None, 0
        return stack, version or 0


async def stack_versions(
    frameio: FrameioClient, family: Family, folder: Folder
) -> VersionStack | None:
    """Bring all versions in the folder onto one stack, in order. None while there is but one.

    It looks first and moves only what is not in its place, so it may be repeated at any time.
    """
    found = await frameio.contents(folder)
    loose = family.in_order(family.whole(found))
    stack = family.stack(found)
    if stack is None:
        if len(loose) < 2:
            return None
        first, loose = loose[:MOST], loose[MOST:]
        stack = await frameio.create_version_stack(folder, tuple(file.id for file in first))
        log.info("%d versions are now one stack, %s.", len(first), stack.name)
        current = first
    else:
        # A run that died while it put them in order may have left nothing loose.
        current = await _oldest_first(frameio, stack)
    for file in loose:
        await frameio.add_version(stack.id, file)
    await _reorder(frameio, stack, folder, [*current, *loose], family)
    return stack


async def _oldest_first(frameio: FrameioClient, stack: VersionStack) -> list[RemoteFile]:
    """Frame.io does not say in which order it lists versions; the head is the newest."""
    versions = await frameio.stack_versions(stack)
    if stack.head and versions and versions[0].id == stack.head.id:
        versions.reverse()
    return versions


async def _reorder(
    frameio: FrameioClient,
    stack: VersionStack,
    folder: Folder,
    current: list[RemoteFile],
    family: Family,
) -> None:
    """Take out and put back on top, one at a time, whatever lies above the first that is amiss."""
    wanted = family.in_order(current)
    for place, file in enumerate(wanted):
        if current[place].id != file.id:
            for later in wanted[place:]:
                await frameio.move_file(later, folder.id)
                await frameio.add_version(stack.id, later)
            return
