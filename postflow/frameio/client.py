"""The Frame.io V4 client: accounts, projects, folders, files, version stacks and share links."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self
from uuid import uuid4

import httpx

from postflow.frameio.auth.renewal import TokenSupply
from postflow.models import Folder, Project

from .calls import CALL_RETRIES, Api, CallRetries
from .endpoints import FOLDER_PAGE
from .files import Files
from .folder_cache import FolderCache
from .folders import Folders
from .pacing import Pacing
from .projects import Accounts, Projects
from .shares import Shares
from .stacks import Stacks

FRAMEIO_URL = "https://api.frame.io"
_CONNECTIONS = httpx.Limits(max_connections=20, max_keepalive_connections=10)


class Shared:
    """Survives the single client: tasks open and close theirs all the time."""

    def __init__(self, page_size: int = FOLDER_PAGE) -> None:
        self.pacing = Pacing(page_size)
        self.folders = FolderCache()
        self.uploads: set[str] = set()


@functools.cache
def shared_for(base_url: str) -> Shared:
    return Shared()


class FrameioClient:
    """A live connection to Frame.io; use it as `async with`.

    Every method raises `Fatal` where Frame.io refuses and `Retry` where it is busy or out of reach,
    after trying again itself where that is safe. Nothing is ever created twice by trying again.
    Clients that share `lock_dir`, PostFlow's own if none is given, do not create the same at once.
    """

    def __init__(
        self,
        tokens: TokenSupply,
        *,
        base_url: str = FRAMEIO_URL,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: float = 30.0,
        retries: CallRetries = CALL_RETRIES,
        lock_dir: Path | None = None,
        shared: Shared | None = None,
    ) -> None:
        base_url = base_url.rstrip("/")
        shared = shared or shared_for(base_url)
        self.pacing = shared.pacing
        self._tokens = tokens
        self._http = httpx.AsyncClient(
            base_url=base_url,
            transport=transport,
            limits=_CONNECTIONS,
            timeout=httpx.Timeout(timeout, pool=None),
        )
        self.api = api = Api(
            self._http,
            tokens,
            shared.pacing,
            retries,
            timeout=timeout,
            gone=lambda folder_id: self.folders.gone(folder_id),
        )
        self.accounts = Accounts(api)
        self.projects = Projects(api, self.accounts)
        self.folders = Folders(api, shared.folders, lock_dir)
        self.files = Files(api, self.accounts, shared.uploads, lock_dir, filled=self.folders.filled)
        self.stacks = Stacks(api)
        self.shares = Shares(api)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._tokens.aclose()
        finally:
            await self._http.aclose()

    @contextlib.asynccontextmanager
    async def folder_of_our_own(self, project: Project) -> AsyncIterator[Folder]:
        """To try out what may be done there; removed with what is in it."""
        folder = await self.folders.ensure(project, (f"postflow-check-{uuid4().hex[:8]}",))
        try:
            yield folder
        finally:
            await self.folders.delete(folder)
