"""The Frame.io V4 client: every method is one thing a pipeline wants done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from pydantic import SecretStr

from postflow.errors import Fatal
from postflow.frameio.auth.renewal import TokenSupply
from postflow.models import Folder, Project, RemoteFile

from . import folders, projects
from .calls import CALL_RETRIES, Api, CallRetries
from .create_once import never
from .files import Contents, Files, contents
from .folders import FolderIds, Folders
from .models import Account, Child, Profile, UploadStatus, Workspace
from .shared import Shared, shared_for
from .stacks import Stacks, VersionStack

FRAMEIO_URL = "https://api.frame.io"
_CONNECTIONS = httpx.Limits(max_connections=20, max_keepalive_connections=10)


class FrameioClient:
    """A live connection to Frame.io; use it as `async with`.

    Every method raises `Fatal` where Frame.io refuses and `Retry` where it is busy or out of reach,
    after trying again itself where that is safe. Nothing is ever created twice by trying again.
    Give `lock_dir` so that several processes of one machine do not create the same folder at once.
    """

    def __init__(
        self,
        tokens: TokenSupply,
        *,
        base_url: str = FRAMEIO_URL,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: float = 30.0,
        patience: CallRetries = CALL_RETRIES,
        lock_dir: Path | None = None,
        page_size: int = 500,
        shared: Shared | None = None,
    ) -> None:
        base_url = base_url.rstrip("/")
        shared = shared or shared_for(base_url)
        self._tokens = tokens
        self._http = httpx.AsyncClient(
            base_url=base_url,
            transport=transport,
            limits=_CONNECTIONS,
            timeout=httpx.Timeout(timeout, pool=None),
        )
        self._api = Api(
            self._http,
            tokens,
            shared.pacing,
            patience,
            timeout=timeout,
            page_size=page_size,
            gone=shared.folders.forget,
        )
        self._folders = Folders(self._api, shared, lock_dir)
        self._files = Files(self._api, shared)
        self._stacks = Stacks(self._api)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._tokens.aclose()
        finally:
            await self._http.aclose()

    async def me(self) -> Profile:
        return await projects.me(self._api)

    async def accounts(self) -> list[Account]:
        return await projects.accounts(self._api)

    async def workspaces(self, account_id: str) -> list[Workspace]:
        return await projects.workspaces(self._api, account_id)

    async def projects(self, account_id: str, workspace_id: str | None = None) -> list[Project]:
        return await projects.projects(self._api, account_id, workspace_id)

    async def project(self, account_id: str, project_id: str) -> Project:
        return await projects.project(self._api, account_id, project_id)

    async def find_project(
        self, name_or_id: str, account: str | None = None, workspace: str | None = None
    ) -> Project:
        """The one project of that id or name; account and workspace likewise by id or name.

        Raises `Fatal` with code frameio.{account,workspace,project}_{unknown,ambiguous}.
        """
        return await projects.find_project(
            self._api, name_or_id, account=account, workspace=workspace
        )

    async def ensure_folder(
        self, project: Project, path: tuple[str, ...], known: FolderIds | None = None
    ) -> Folder:
        """The folder at `path` below the project's root, created where it is missing.

        `known` are ids from before, by path: while they are good, they count, and not the names.
        """
        return await self._folders.ensure(project, path, known or {})

    def folder_ids(self, project: Project, path: tuple[str, ...]) -> FolderIds:
        """The ids of that folder and those above it, as far as they were met just now."""
        return self._folders.ids(project, path)

    def forget_folder(self, folder: Folder) -> None:
        """It is looked for anew the next time: something in it is gone."""
        self._folders.forget(folder)

    async def delete_folder(self, folder: Folder) -> None:
        """Delete a folder and what is in it. One already gone is no fault."""
        await folders.delete_folder(self._api, folder.account_id, folder.id)
        self._folders.forget(folder)

    async def contents(self, folder: Folder) -> Contents:
        """Loose files and version stacks of a folder, in one call a page."""
        return await contents(self._api, folder)

    async def children(self, folder: Folder, *types: str) -> list[Child]:
        """What lies directly in a folder; `types` of file, folder, version_stack."""
        found = await folders.children(self._api, folder.account_id, folder.id, types)
        return found.items

    async def remote_upload(
        self,
        folder: Folder,
        name: str,
        source_url: SecretStr,
        *,
        known: frozenset[str],
        size: int | None = None,
        took_effect: Callable[[], bool] = never,
    ) -> RemoteFile:
        """Have Frame.io fetch the file at `source_url`, which must stay good until it has.

        `known` are the ids of that name from before. Where the answer is lost, a file of that name
        which is not among them is taken for ours; only where there is none is it asked for again,
        and never once `took_effect` says that the address has been visited. `size` in bytes is
        checked against the 50 GB limit before asking.
        """
        return await self._files.remote_upload(
            folder, name, source_url, known=known, size=size, took_effect=took_effect
        )

    async def why_no_room(self, account_id: str, size: int) -> Fatal | None:
        """Fatal `frameio.storage_full` where the account has no room for so many bytes."""
        return await projects.why_no_room(self._api, account_id, size)

    async def upload_status(self, remote: RemoteFile) -> UploadStatus:
        """How far the fetching is: 5 polls a second for all files together."""
        return await self._files.status(remote)

    async def file(self, account_id: str, file_id: str) -> RemoteFile:
        return await self._files.show(account_id, file_id)

    async def move_file(self, remote: RemoteFile, parent_id: str) -> RemoteFile:
        return await self._files.move(remote, parent_id)

    async def delete_file(self, remote: RemoteFile) -> None:
        """One already gone is no fault."""
        await self._files.delete(remote)

    async def create_version_stack(self, folder: Folder, file_ids: tuple[str, ...]) -> VersionStack:
        """Stack 2 to 10 files of the folder, given from oldest to newest."""
        return await self._stacks.create(folder, file_ids)

    async def add_version(self, stack_id: str, remote: RemoteFile) -> RemoteFile:
        """Put a file on top of a stack."""
        return await self._files.move(remote, stack_id)

    async def version_stack(self, account_id: str, stack_id: str) -> VersionStack:
        """A stack, wherever it lies."""
        return await self._stacks.show(account_id, stack_id)

    async def stack_versions(self, stack: VersionStack, wanted: str = "") -> list[RemoteFile]:
        """The files of a stack, in the order Frame.io gives them.

        Raises Retry when one called `wanted` is among them that cannot be read.
        """
        return await self._stacks.versions(stack, wanted)
