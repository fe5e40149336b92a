"""The live things of a studio, opened once a process and shared by all of its clips."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import xxhash
from pydantic import SecretStr

from postflow.discord import DiscordClient
from postflow.frameio import FrameioClient
from postflow.models import MediaFile
from postflow.naming import Naming
from postflow.outlet import Outlet, Served
from postflow.patience import Patience
from postflow.places import state_dir

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
    naming = studio.get_naming()
    frameio = await stack.enter_async_context(
        FrameioClient(
            studio.adobe.get_token_source(),
            base_url=studio.frameio.base_url,
            lock_dir=state_dir() / "locks",
        )
    )
    return OpenStudio(
        name=name,
        scope=_scope(studio),
        project=studio.frameio.project,
        account=studio.frameio.account,
        workspace=studio.frameio.workspace,
        naming=naming,
        patience=studio.patience,
        frameio=frameio,
        outlet=Outlet(studio.tunnel.get_provider(), port=studio.tunnel.port),
        discord=await _open_discord(stack, studio, discord_webhook),
        progress=progress,
    )


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
    parts += [studio.naming, repr(studio.rules), studio.adobe.client_id]
    return xxhash.xxh3_64_hexdigest("\0".join(parts).encode())
