"""Folders of a project: found where they are, created once where they are not."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path

from postflow.errors import Fatal
from postflow.locks import one_at_a_time
from postflow.models import Folder, FrozenModel, Project, RemoteFile, nfc

from . import endpoints
from .calls import Api, Call, ids_in
from .errors import UNKNOWN_ITEM, check_name, suppress_not_found
from .folder_cache import LIST_SECONDS, FolderCache
from .models import Child, Nothing, One, WireFile, WireFolder, WireStack, read_child
from .paging import Listing, SharedLists, listing
from .stacks import VersionStack, as_stack

logger = logging.getLogger(__name__)

FolderIds = Mapping[tuple[str, ...], str]
# As long lies between a clip's own look into a folder and its asking, where a tunnel has to open.
LOOK_SECONDS = 5.0


class Contents(FrozenModel):
    """Both oldest first. A file that is on a stack is not among `files`.

    `unread` are the names of things that cannot be read: they may be files or stacks.
    """

    files: tuple[RemoteFile, ...]
    stacks: tuple[VersionStack, ...]
    unread: tuple[str, ...] = ()

    def having(self, file: RemoteFile) -> Contents:
        """These contents with a file that has come there since."""
        others = (each for each in self.files if each.id != file.id)
        return self.model_copy(update={"files": (*others, file)})


class Siblings(FrozenModel):
    """The folders of one folder. `oldest` of each very name; `alike` as people read names."""

    oldest: dict[str, WireFolder]
    alike: dict[str, WireFolder]
    projects: dict[str, str]
    unread: tuple[str, ...]

    def named(self, name: str) -> WireFolder | None:
        """Where none bears the very name, one that a person wrote in other case or with other
        blanks is meant. Raises Retry where one that cannot be read may be it.
        """
        wanted = self.oldest.get(name) or self.alike.get(_as_read(name))
        if wanted is None and any(_as_read(unread) == _as_read(name) for unread in self.unread):
            raise UNKNOWN_ITEM(name=name)
        return wanted


NO_FOLDERS = Siblings(oldest={}, alike={}, projects={}, unread=())


class Folders:
    """Found or created, one at a time per name among all that share `lock_dir`."""

    def __init__(self, api: Api, cache: FolderCache, lock_dir: Path | None) -> None:
        self._api = api
        self._cache = cache
        self._lock_dir = lock_dir
        self._siblings = SharedLists[Siblings](LIST_SECONDS)
        self._contents = SharedLists[Contents](LIST_SECONDS)
        self._new: dict[str, float] = {}

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
        trusted = bool(self.ids(project, path) or self._siblings)
        try:
            return await self._walk(project, path, known)
        except Fatal as error:
            if error.code != "frameio.not_found" or not trusted:
                raise
        self._cache.forget_path(project.id, path[:1])
        self._siblings.clear()
        logger.info("A folder of %s was deleted in Frame.io; looking again.", "/".join(path))
        return await self._walk(project, path, known)

    @property
    def looks(self) -> int:
        """How many folders Frame.io lists for us at once: a hundred a minute."""
        return self._api.pacing.free(endpoints.CHILDREN)

    def gone(self, folder_id: str) -> None:
        """Frame.io does not find that folder, or something in it: it is looked for anew."""
        self._cache.forget(folder_id)
        self._siblings.clear()
        self._contents.clear()
        self._new.pop(folder_id, None)

    def filled(self, folder_id: str) -> None:
        """A file was asked for there."""
        self._new.pop(folder_id, None)

    def take_new(self, folder: Folder) -> bool:
        """True once, of a folder that we made a moment ago, so that nothing is in it yet.

        Nobody else can have put a clip there that looking would show: our own runs take a clip
        from the ledger, one at a time, and for others the folder has not been there for longer
        than lies between any look of ours and the asking that follows. Who asks again has to look.
        """
        return time.monotonic() - self._new.pop(folder.id, -math.inf) < self._cache.list_seconds

    def ids(self, project: Project, path: tuple[str, ...]) -> FolderIds:
        """The ids of that folder and those above it, as far as they were met just now."""
        above = [path[:depth] for depth in range(1, len(path) + 1)]
        met = {here: self._cache.get(project.id, here) for here in above}
        return {here: folder_id for here, folder_id in met.items() if folder_id}

    async def show(self, account_id: str, folder_id: str) -> str:
        """The folder's name."""
        return (await self._show(account_id, folder_id)).name

    async def _show(self, account_id: str, folder_id: str) -> WireFolder:
        call = Call(endpoints.FOLDER, {"account_id": account_id, "folder_id": folder_id})
        return await self._api.one(call, One[WireFolder])

    async def delete(self, folder: Folder) -> None:
        """Delete a folder and what is in it. One already gone is no fault."""
        with suppress_not_found():
            await self._api.ask(Call(endpoints.DELETE_FOLDER, ids_in(folder)), Nothing)
        self.gone(folder.id)

    async def contents(self, folder: Folder, *, age: float = 0.0) -> Contents:
        """Loose files and version stacks of a folder, as they are or were `age` seconds ago."""
        since = time.monotonic() - age
        return await self._contents.get(folder.id, since, lambda: self._look_into(folder))

    async def _look_into(self, folder: Folder) -> Contents:
        """One call a page, of a hundred a minute; where those are spent, two of five a second."""
        if self.looks:
            found = await self.children(folder)
        else:
            found = await self._children_by_type(folder)
        found.items.sort(key=lambda child: (child.created_at, child.id))
        files = (child for child in found.items if isinstance(child, WireFile))
        stacks = (child for child in found.items if isinstance(child, WireStack))
        return Contents(
            files=tuple(file.remote(folder.account_id) for file in files),
            stacks=tuple(as_stack(stack, folder.account_id) for stack in stacks),
            unread=tuple(nfc(thing.name) for thing in found.unread),
        )

    async def _children_by_type(self, folder: Folder) -> Listing[Child]:
        """Files first: one that is put on a stack in between is seen twice rather than never."""
        files = await listing(self._api, Call(endpoints.FILES, ids_in(folder)), read_child)
        stacks = await listing(self._api, Call(endpoints.STACKS, ids_in(folder)), read_child)
        return Listing(items=files.items + stacks.items, unread=files.unread + stacks.unread)

    async def children(self, folder: Folder) -> Listing[Child]:
        """What lies directly in a folder. All of it: whether `type` takes a list is not known."""
        return await listing(self._api, Call(endpoints.CHILDREN, ids_in(folder)), read_child)

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
            if here in known and await self._is_there(project, here, known):
                self._cache.put(project.id, here, known[here])
                return depth, known[here]
        return 0, project.root_folder_id

    async def _is_there(self, project: Project, here: tuple[str, ...], known: FolderIds) -> bool:
        """Asked of the folder above, whose list tells it of many; alone where it was moved."""
        folder_id = known[here]
        above = known.get(here[:-1]) if here[:-1] else project.root_folder_id
        if above:
            with suppress_not_found():
                listed = (await self._listed(project.account_id, above)).projects
                if listed.get(folder_id) in ("", project.id):
                    return True
        with suppress_not_found():
            found = await self._show(project.account_id, folder_id)
            return found.project_id in ("", project.id)
        return False

    async def _child(self, project: Project, parent_id: str, path: tuple[str, ...]) -> str:
        async with one_at_a_time("folder", parent_id, _as_read(path[-1]), folder=self._lock_dir):
            known = self._cache.get(project.id, path)
            if known is not None:
                return known
            found = (await self._listed(project.account_id, parent_id)).named(path[-1])
            if found is None:
                found = await self._create(project, parent_id, path)
            self._cache.put(project.id, path, found.id)
            return found.id

    async def _create(self, project: Project, parent_id: str, path: tuple[str, ...]) -> WireFolder:
        """Looks afterwards too: what was listed before is up to a minute old."""
        is_sure = True

        async def look() -> WireFolder | None:
            nonlocal is_sure
            is_sure = False
            return await self._named(project.account_id, parent_id, path[-1])

        ids = {"account_id": project.account_id, "folder_id": parent_id}
        call = Call(endpoints.CREATE_FOLDER, ids, body={"data": {"name": path[-1]}})
        try:
            made = await self._api.create_once(call, One[WireFolder], look)
        except Fatal as refused:
            found = await look() if refused.code == "frameio.conflict" else None
            if found is None:
                raise
            return found
        eldest = await self._named(project.account_id, parent_id, path[-1]) or made
        if eldest.id != made.id:
            await self._withdraw(_as_folder(project, path, made.id))
        elif is_sure:
            self._new[made.id] = now = time.monotonic()
            self._siblings.put(made.id, now, NO_FOLDERS)
        logger.info("The folder %s is in Frame.io now.", "/".join(path))
        return eldest

    async def _named(self, account_id: str, parent_id: str, name: str) -> WireFolder | None:
        """Asked for from now on; what others ask for at the same time is one call."""
        return (await self._listed(account_id, parent_id, since=time.monotonic())).named(name)

    async def _withdraw(self, made: Folder) -> None:
        """Another host created the same folder first: ours goes again, if it is still empty."""
        inside = await self.children(made)
        if not inside.items and not inside.unread:
            await self.delete(made)
            logger.info("Another host created the folder %s first; using theirs.", made.path[-1])

    async def _listed(
        self, account_id: str, parent_id: str, since: float | None = None
    ) -> Siblings:
        if since is None:
            since = time.monotonic() - self._cache.list_seconds
        return await self._siblings.get(parent_id, since, lambda: self._list(account_id, parent_id))

    async def _list(self, account_id: str, parent_id: str) -> Siblings:
        ids = {"account_id": account_id, "folder_id": parent_id}
        found = await listing(self._api, Call(endpoints.FOLDERS, ids), WireFolder.model_validate)
        oldest_first = sorted(found.items, key=lambda folder: (folder.created_at, folder.id))
        return Siblings(
            oldest={nfc(folder.name): folder for folder in reversed(oldest_first)},
            alike={_as_read(folder.name): folder for folder in reversed(oldest_first)},
            projects={folder.id: folder.project_id for folder in oldest_first},
            unread=tuple(thing.name for thing in found.unread),
        )


def _as_folder(project: Project, path: tuple[str, ...], folder_id: str) -> Folder:
    return Folder(id=folder_id, account_id=project.account_id, project_id=project.id, path=path)


def _as_read(name: str) -> str:
    """What a person takes for the same name: case and blanks do not count."""
    return " ".join(nfc(name).casefold().split())
