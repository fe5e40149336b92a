"""A Discord webhook on loopback, and models to fill cards with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from postflow.models import Delivery, Folder, MediaFile, RemoteFile
from postflow.naming import Naming
from postflow.sandbox.discord import DiscordWorld
from postflow.sandbox.faults import Faults

NAME = "SQ07_UNDLM_00152_v003.mov"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Channel:
    """The webhook as Discord sees it, and its URL as PostFlow is given it."""

    world: DiscordWorld
    faults: Faults
    url: SecretStr


@pytest.fixture
async def channel() -> AsyncIterator[Channel]:
    async for channel in serving():
        yield channel


@pytest.fixture
async def busy_channel() -> AsyncIterator[Channel]:
    """Three calls in a window of 0.4 s."""
    async for channel in serving(rate=(3, 0.4)):
        yield channel


async def serving(**settings: Any) -> AsyncIterator[Channel]:
    """A webhook with the settings of the sandbox's Discord, without a limit of calls else."""
    faults = Faults()
    world = DiscordWorld(faults, **{"rate": None, **settings})
    app = web.Application()
    app.add_routes(world.routes())
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield Channel(world, faults, SecretStr(f"http://{host}:{port}{world.webhook_path}"))
    finally:
        await runner.cleanup()


@pytest.fixture
def media() -> MediaFile:
    return media_named(NAME)


@pytest.fixture
def delivery(media: MediaFile) -> Delivery:
    return delivery_of(media)


def media_named(name: str, size: int = 831_000_000) -> MediaFile:
    return MediaFile(path=Path(name), size=size, mtime_ns=0, fingerprint="0" * 32)


def delivery_of(media: MediaFile, view_url: str = "https://next.frame.io/p/view/f") -> Delivery:
    shot = Naming.preset().identify(media.name, scene="SQ07")
    remote = RemoteFile(
        id="file",
        account_id="account",
        project_id="project",
        folder_id="folder",
        name=media.name,
        size=media.size,
        status="transcoded",
        view_url=view_url,
        created_at=NOON,
    )
    folder = Folder(id="folder", account_id="account", project_id="project", path=shot.folder)
    return Delivery(
        media=media,
        shot=shot,
        folder=folder,
        remote=remote,
        started=NOON,
        finished=NOON + timedelta(seconds=125),
    )
