"""Folders of a project: found where they are, created once where they are not."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path

from postflow.errors import Fatal
from postflow.locks import one_at_a_time
from postflow.models import Folder, FrozenModel, Project, RemoteFile

from . import endpoints
from .calls import Api, Call
from .errors import check_name, suppress_not_found
from .models import Child, Nothing, One, WireFile, WireFolder, WireStack, nfc, read_child
from .paging import Listing, listing
from .stacks import VersionStack, as_stack

logger = logging.getLogger(__name__)

FolderIds = Mapping[tuple[str, ...], str]
FOLDER_SECONDS = 600.0


class Contents(FrozenModel):
    """Both oldest first. A file that is on a stack is not among `files`.

    `unread` are the names of things that cannot be read: they may be files or stacks.
    """

    files: tuple[RemoteFile, ...]
    stacks: tuple[VersionStack, ...]
    unread: tuple[str, ...] = ()


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

    def forget_path(self, project_id: str, path: tuple[str, ...]) -> None:
        """Drop a path and all below it."""
        for project, known in list(self._ids):
            if project == project_id and known[: len(path)] == path:
                del self._ids[project, known]


class Folders:
    """Found or created, one at a time per parent among all that share `lock_dir`."""

    def __init__(self, api: Api, cache: FolderCache, lock_dir: Path | None) -> None:
        self._api = api
        self._cache = cache
        self._lock_dir = lock_dir

    async def ensure(
        self, project: Project, path: tuple[str, ...], known: FolderIds | None = None
    ) -> Folder:
        """The folder at `path` below the project's root, created where it is missing.

        `known` are ids from before, by path: while they are good, they count, and not the names.
        Of several folders by one name, it is the oldest.
        """
        known = known or {}
        path = tuple(nfc(name) for name in path)
        for name in path:
            check_name(name)
        trusted = self.ids(project, path)
        try:
            return await self._walk(project, path, known)
        except Fatal as error:
            if error.code != "frameio.not_found" or not trusted:
                raise
        self._cache.forget_path(project.id, path[:1])
        logger.info("A folder of %s was deleted in Frame.io; looking again.", "/".join(path))
        return await self._walk(project, path, known)

    @property
    def looks(self) -> int:
        """How many folders Frame.io lists for us at once: a hundred a minute."""
        return self._api.free(endpoints.CHILDREN)

    def forget(self, folder: Folder) -> None:
        """It is looked for anew the next time: something in it is gone."""
        self._cache.forget(folder.id)

    def ids(self, project: Project, path: tuple[str, ...]) -> FolderIds:
        """The ids of that folder and those above it, as far as they were met just now."""
        above = [path[:depth] for depth in range(1, len(path) + 1)]
        met = {here: self._cache.get(project.id, here) for here in above}
        return {here: folder_id for here, folder_id in met.items() if folder_id}

    async def show(self, account_id: str, folder_id: str) -> str:
        """The folder's name."""
        call = Call(endpoints.FOLDER, {"account_id": account_id, "folder_id": folder_id})
        return (await self._api.ask(call, One[WireFolder])).data.name

    async def delete(self, folder: Folder) -> None:
        """Delete a folder and what is in it. One already gone is no fault."""
        with suppress_not_found():
            await self._api.ask(Call(endpoints.DELETE_FOLDER, _ids(folder)), Nothing)
        self.forget(folder)

    async def contents(self, folder: Folder) -> Contents:
        """Loose files and version stacks of a folder, in one call a page."""
        found = await self.children(folder)
        found.items.sort(key=lambda child: (child.created_at, child.id))
        files = (child for child in found.items if isinstance(child, WireFile))
        stacks = (child for child in found.items if isinstance(child, WireStack))
        return Contents(
            files=tuple(file.remote(folder.account_id) for file in files),
            stacks=tuple(as_stack(stack, folder.account_id, folder.id) for stack in stacks),
            unread=tuple(nfc(thing.name) for thing in found.unread),
        )

    async def children(self, folder: Folder) -> Listing[Child]:
        """What lies directly in a folder. All of it: whether `type` takes a list is not known."""
        return await listing(self._api, Call(endpoints.CHILDREN, _ids(folder)), read_child)

    async def _walk(self, project: Project, path: tuple[str, ...], known: FolderIds) -> Folder:
        start, folder_id = await self._deepest(project, path, known)
        for depth in range(start + 1, len(path) + 1):
            folder_id = await self._child(project, folder_id, path[:depth])
        return _as_folder(project, path, folder_id)

    async def _deepest(
        self, project: Project, path: tuple[str, ...], known: FolderIds
    ) -> tuple[int, str]:
        """How far down the path an id is known that is good, and the id."""
        for depth in range(len(path), 0, -1):
            here = path[:depth]
            met = self._cache.get(project.id, here)
            if met:
                return depth, met
            if here in known and await self._is_there(project, known[here]):
                self._cache.put(project.id, here, known[here])
                return depth, known[here]
        return 0, project.root_folder_id

    async def _is_there(self, project: Project, folder_id: str) -> bool:
        call = Call(endpoints.FOLDER, {"account_id": project.account_id, "folder_id": folder_id})
        with suppress_not_found():
            found = (await self._api.ask(call, One[WireFolder])).data
            return found.project_id in ("", project.id)
        return False

    async def _child(self, project: Project, parent_id: str, path: tuple[str, ...]) -> str:
        async with one_at_a_time("folder", parent_id, folder=self._lock_dir):
            known = self._cache.get(project.id, path)
            if known is not None:
                return known
            found = await self._oldest(project, parent_id, path)
            if found is None:
                found = await self._create(project, parent_id, path)
            self._cache.put(project.id, path, found.id)
            return found.id

    async def _oldest(
        self, project: Project, parent_id: str, path: tuple[str, ...]
    ) -> WireFolder | None:
        """Lists the parent, and remembers the siblings, which are likely to be wanted next.

        Where no folder bears the very name, one that a person wrote in other case or with other
        blanks is meant.
        """
        found = await self._list(project.account_id, parent_id)
        oldest: dict[str, WireFolder] = {}
        alike: dict[str, WireFolder] = {}
        for folder in found.items:
            oldest.setdefault(nfc(folder.name), folder)
            alike.setdefault(_as_read(folder.name), folder)
        for name, folder in oldest.items():
            self._cache.put(project.id, (*path[:-1], name), folder.id)
        wanted = oldest.get(path[-1]) or alike.get(_as_read(path[-1]))
        if wanted is None:
            found.refuse_unread(lambda name: _as_read(name) == _as_read(path[-1]))
        return wanted

    async def _create(self, project: Project, parent_id: str, path: tuple[str, ...]) -> WireFolder:
        async def look() -> WireFolder | None:
            return await self._oldest(project, parent_id, path)

        ids = {"account_id": project.account_id, "folder_id": parent_id}
        call = Call(endpoints.CREATE_FOLDER, ids, body={"data": {"name": path[-1]}})
        try:
            made = await self._api.create_once(call, One[WireFolder], look)
        except Fatal as refused:
            found = await look() if refused.code == "frameio.conflict" else None
            if found is None:
                raise
            return found
        eldest = await look() or made
        if eldest.id == made.id:
            logger.info("Created the folder %s in Frame.io.", "/".join(path))
        else:
            await self._withdraw(_as_folder(project, path, made.id))
        return eldest

    async def _withdraw(self, made: Folder) -> None:
        """Another host created the same folder first: ours goes again, if it is still empty."""
        inside = await self.children(made)
        if not inside.items and not inside.unread:
            await self.delete(made)
            logger.info("Another host created the folder %s first; using theirs.", made.path[-1])

    async def _list(self, account_id: str, parent_id: str) -> Listing[WireFolder]:
        """Oldest first."""
        ids = {"account_id": account_id, "folder_id": parent_id}
        found = await listing(self._api, Call(endpoints.FOLDERS, ids), WireFolder.model_validate)
        found.items.sort(key=lambda folder: (folder.created_at, folder.id))
        return found


def _as_folder(project: Project, path: tuple[str, ...], folder_id: str) -> Folder:
    return Folder(id=folder_id, account_id=project.account_id, project_id=project.id, path=path)


def _ids(folder: Folder) -> dict[str, str]:
    return {"account_id": folder.account_id, "folder_id": folder.id}


def _as_read(name: str) -> str:
    """What a person takes for the same name: case and blanks do not count."""
    return " ".join(nfc(name).casefold().split())
