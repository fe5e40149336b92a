"""The live things of a studio, opened once a process and shared by all of its clips."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import xxhash
from pydantic import SecretStr

from postflow.discord import DiscordClient
from postflow.errors import PostFlowError
from postflow.frameio import FrameioClient
from postflow.models import MediaFile, Project
from postflow.naming import Naming
from postflow.outlet import Outlet, Served
from postflow.patience import Patience
from postflow.places import lock_dir

from .studio import Studio, load_studio

ClipProgress = Callable[[MediaFile, Served], Awaitable[None]]


@dataclass(frozen=True, eq=False)
class OpenStudio:
    """What the stages work with. The outlet opens when the first clip is exposed."""

    name: str
    scope: str
    project: str
    account: str | None
    workspace: str | None
    naming: Naming
    patience: Patience
    frameio: FrameioClient
    outlet: Outlet
    discord: DiscordClient | None
    progress: ClipProgress | None
    projects: dict[str, asyncio.Task[Project]] = field(default_factory=dict)

    async def find_project(self, name_or_id: str) -> Project:
        """Looked up once; a failed look-up is not remembered."""
        if name_or_id not in self.projects:
            looking = self.frameio.find_project(name_or_id, self.account, self.workspace)
            self.projects[name_or_id] = asyncio.ensure_future(looking)
        try:
            return await asyncio.shield(self.projects[name_or_id])
        except PostFlowError:
            self.projects.pop(name_or_id, None)
            raise


@dataclass
class _Opening:
    """One studio held open by `holders` users of this process."""

    lock: asyncio.Lock
    stack: AsyncExitStack
    live: OpenStudio | None = None
    holders: int = 0


_openings: dict[tuple[int, str], _Opening] = {}


@asynccontextmanager
async def open_studio(
    name: str,
    *,
    discord_webhook: SecretStr | None = None,
    progress: ClipProgress | None = None,
) -> AsyncIterator[OpenStudio]:
    """The studio's live things; inner uses share the outermost one's and what it was opened with.

    Raises Fatal when the studio is missing or its rules do not load.
    """
    key = (id(asyncio.get_running_loop()), name)
    opening = _openings.setdefault(key, _Opening(asyncio.Lock(), AsyncExitStack()))
    opening.holders += 1
    try:
        async with opening.lock:
            if opening.live is None:
                studio = await load_studio(name)
                opening.live = await _open(opening.stack, name, studio, discord_webhook, progress)
        yield opening.live
    finally:
        opening.holders -= 1
        if not opening.holders:
            _openings.pop(key, None)
            await opening.stack.aclose()


async def _open(
    stack: AsyncExitStack,
    name: str,
    studio: Studio,
    discord_webhook: SecretStr | None,
    progress: ClipProgress | None,
) -> OpenStudio:
    return OpenStudio(
        name=name,
        scope=_scope(studio),
        project=studio.frameio.project,
        account=studio.frameio.account,
        workspace=studio.frameio.workspace,
        naming=studio.get_naming(),
        patience=studio.patience,
        frameio=await stack.enter_async_context(get_frameio_client(studio)),
        outlet=get_outlet(studio),
        discord=await _open_discord(stack, studio, discord_webhook),
        progress=progress,
    )


def get_frameio_client(studio: Studio) -> FrameioClient:
    """The client of the studio's account; open it with `async with`."""
    return FrameioClient(
        studio.adobe.get_token_source(),
        base_url=studio.frameio.base_url,
        lock_dir=lock_dir(),
    )


def get_outlet(studio: Studio) -> Outlet:
    """The studio's outlet, not open yet."""
    return Outlet(studio.tunnel.get_provider(), port=studio.tunnel.port)


async def _open_discord(
    stack: AsyncExitStack, studio: Studio, override: SecretStr | None
) -> DiscordClient | None:
    if override:
        return await stack.enter_async_context(DiscordClient(override))
    if studio.discord:
        return await stack.enter_async_context(studio.discord.get_client())
    return None


def _scope(studio: Studio) -> str:
    """Cached results of one account are never taken for another's."""
    account = studio.frameio
    parts = [account.base_url, account.account or "", account.workspace or "", account.project]
    parts += [studio.naming, repr(studio.rules), studio.adobe.client_id, repr(studio.discord)]
    return xxhash.xxh3_64_hexdigest("\0".join(parts).encode())
