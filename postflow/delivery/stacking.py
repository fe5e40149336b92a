"""Version stacks: the versions of one clip on one stack, oldest at the bottom."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from postflow.errors import Fatal, Skip
from postflow.frameio import FrameioClient
from postflow.frameio.errors import suppress_not_found
from postflow.frameio.folder_cache import LIST_SECONDS
from postflow.frameio.folders import Contents
from postflow.frameio.stacks import MOST, VersionStack
from postflow.ledger import DELIVERED, AsyncLedger, known_ids
from postflow.models import BYTES_ARE_IN, Folder, FrozenModel, RemoteFile
from postflow.naming import Naming
from postflow.naming.version import Order, version_order

log = logging.getLogger(__name__)

# What Frame.io says of files and stacks that people have moved or deleted since they were seen.
MOVED = {"frameio.not_found", "frameio.refused", "frameio.conflict"}


class Stacked(FrozenModel):
    """A stack, and the files that are on it."""

    stack: VersionStack
    file_ids: frozenset[str]


class VersionGroup:
    """What belongs on one stack: known by their ids whatever people call them, else by names."""

    def __init__(
        self,
        naming: Naming,
        stack: str,
        *,
        ours: Mapping[str, str] | None = None,
        stack_id: str | None = None,
    ) -> None:
        """`ours`: the names under which we delivered files, by their ids."""
        self.stack_id = stack_id
        self._naming = naming
        self._stack = stack
        self._ours = ours or {}

    @classmethod
    async def known(
        cls, ledger: AsyncLedger, naming: Naming, folder: Folder, stack: str
    ) -> VersionGroup:
        """By the ids that the ledger has of that folder."""
        siblings = await ledger.run(known_ids.siblings, folder.id, stack)
        ours = {each.file_id: each.name for each in siblings if each.state in DELIVERED}
        return cls(
            naming,
            stack,
            ours={file_id: name for file_id, name in ours.items() if file_id},
            stack_id=await ledger.run(known_ids.stack_of, folder.id, stack),
        )

    def holds(self, file: RemoteFile) -> bool:
        return file.id in self._ours or self._read(file.name)[0] == self._stack

    def in_order(self, files: Sequence[RemoteFile]) -> list[RemoteFile]:
        """Lowest version first; of equal versions the one that came first."""
        return sorted(files, key=lambda file: (self._version(file), file.created_at, file.id))

    def loose(self, found: Contents) -> list[RemoteFile]:
        """All files of the group that are on no stack."""
        return [file for file in found.files if self.holds(file)]

    def stack(self, found: Contents) -> VersionStack | None:
        """The stack that was made for the group, else the oldest that looks like it."""
        by_id = (stack for stack in found.stacks if stack.id == self.stack_id)
        return next(by_id, None) or next(filter(self._fits, found.stacks), None)

    def _fits(self, stack: VersionStack) -> bool:
        if stack.head is None:
            return self._read(stack.name)[0] == self._stack
        return self.holds(stack.head)

    def _version(self, file: RemoteFile) -> Order:
        return self._read(self._ours.get(file.id, file.name))[1]

    def _read(self, name: str) -> tuple[str | None, Order]:
        try:
            known = self._naming.identify(name)
        except Skip:
            return self._read_by_hand(name)
        except Exception:
            log.exception("A fault of our own, at the name of a file in Frame.io:")
            return None, version_order(None)
        return known.stack, self._naming.order(known)

    def _read_by_hand(self, name: str) -> tuple[str | None, Order]:
        """Names that no rule reads stack with their own versions."""
        try:
            stack, version = self._naming.stack_by_hand(name)
        except Skip:
            return None, version_order(None)
        return stack, version_order(version)


async def find_stack(
    frameio: FrameioClient, group: VersionGroup, folder: Folder, found: Contents
) -> VersionStack | None:
    """The group's stack, which people may have moved to another folder."""
    here = group.stack(found)
    if group.stack_id is None or (here and here.id == group.stack_id):
        return here
    with suppress_not_found():
        moved = await frameio.stacks.show(folder.account_id, group.stack_id)
        return moved if moved.project_id in ("", folder.project_id) else here
    return here


async def stack_versions(
    frameio: FrameioClient,
    group: VersionGroup,
    folder: Folder,
    *,
    arrived: RemoteFile | None = None,
    waits: bool = True,
) -> Stacked | None:
    """Bring all versions in the folder onto one stack, in order. None while there is but one.

    It looks first and moves only what is not in its place, so it may be repeated at any time; what
    was seen before `arrived` was sent is looked at again only where it does not hold any more. Who
    does not wait has a Retry with `retry_after` where Frame.io makes no new stack just now.
    """
    if arrived:
        seen = await frameio.folders.contents(folder, age=LIST_SECONDS)
        try:
            if made := await _stack(frameio, group, folder, seen.having(arrived), waits=waits):
                return made
        except Fatal as error:
            if error.code not in MOVED:
                raise
    found = await frameio.folders.contents(folder)
    return await _stack(frameio, group, folder, found, waits=waits)


async def _stack(
    frameio: FrameioClient, group: VersionGroup, folder: Folder, found: Contents, *, waits: bool
) -> Stacked | None:
    whole = [file for file in group.loose(found) if await _is_whole(frameio, file)]
    loose = group.in_order(whole)
    stack = await find_stack(frameio, group, folder, found)
    if stack is None:
        if len(loose) < 2:
            return None
        first, loose = loose[:MOST], loose[MOST:]
        ids = tuple(file.id for file in first)
        stack = await frameio.stacks.create(folder, ids, waits=waits)
        log.info("%d versions are now one stack, %s.", len(first), stack.name)
        current = first
    else:
        # A run that died while it put them in order may have left nothing loose.
        current = await _oldest_first(frameio, stack)
    # What was seen loose may be on the stack by now.
    there = {file.id: file for file in (*loose, *current)}
    await _put_in_order(frameio, stack, folder, current, group.in_order([*there.values()]))
    return Stacked(stack=stack, file_ids=frozenset(there))


async def _is_whole(frameio: FrameioClient, file: RemoteFile) -> bool:
    """Are its bytes in? A placeholder may yet be withdrawn."""
    if file.status in BYTES_ARE_IN or file.status == "created":
        return file.status in BYTES_ARE_IN
    return (await frameio.files.status(file)).complete


async def _oldest_first(frameio: FrameioClient, stack: VersionStack) -> list[RemoteFile]:
    """Frame.io does not say in which order it lists versions; the head is the newest. One that is
    at neither end was the head when the stack was last seen.
    """
    versions = await frameio.stacks.versions(stack)
    ends = {each.id for each in (*versions[:1], *versions[-1:])}
    if stack.head and versions and stack.head.id not in ends:
        stack = await frameio.stacks.show(stack.account_id, stack.id)
    if stack.head and versions and versions[0].id == stack.head.id:
        versions.reverse()
    return versions


async def _put_in_order(
    frameio: FrameioClient,
    stack: VersionStack,
    folder: Folder,
    current: Sequence[RemoteFile],
    wanted: Sequence[RemoteFile],
) -> None:
    """Put on top, one at a time, whatever does not follow the versions below it; first take out
    what is on the stack already.
    """
    on_it = {file.id for file in current}
    for file in wanted[_in_their_place(current, wanted) :]:
        if file.id in on_it:
            await frameio.files.move(file, folder.id)
        await frameio.files.move(file, stack.id)


def _in_their_place(current: Sequence[RemoteFile], wanted: Sequence[RemoteFile]) -> int:
    """How many of those wanted, from the lowest on, follow each other on the stack."""
    place = 0
    for file in current:
        if place < len(wanted) and file.id == wanted[place].id:
            place += 1
    return place
