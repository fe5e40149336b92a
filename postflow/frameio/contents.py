"""What lies in a folder, in one call: loose files and version stacks."""

from __future__ import annotations

from postflow.models import Folder, Moment, RemoteFile

from .calls import Api
from .folders import children
from .shared import nfc
from .stacks import VersionStack, as_stack
from .wire import WireFile, WireStack


class Contents(Moment):
    """Both oldest first. A file that is on a stack is not among `files`.

    `unread` are the names of things that cannot be read: they may be files or stacks.
    """

    files: tuple[RemoteFile, ...]
    stacks: tuple[VersionStack, ...]
    unread: tuple[str, ...] = ()


async def contents(api: Api, folder: Folder) -> Contents:
    """All files and stacks directly in the folder."""
    found = await children(api, folder.account_id, folder.id, ("file", "version_stack"))
    found.items.sort(key=lambda child: (child.created_at, child.id))
    files = (child for child in found.items if isinstance(child, WireFile))
    stacks = (child for child in found.items if isinstance(child, WireStack))
    return Contents(
        files=tuple(file.remote(folder.account_id) for file in files),
        stacks=tuple(as_stack(stack, folder.account_id, folder.id) for stack in stacks),
        unread=tuple(nfc(thing.name) for thing in found.unread),
    )
