"""A command line, studios for it, and clips."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from postflow.cli.sandbox import sandbox_studio
from postflow.sandbox import Sandbox
from postflow.sandbox.clips import clip_path
from postflow.service.server import QUIET
from tests.cli.command_line import CommandLine, WarmProcess
from tests.cli.studio_keeper import StudioKeeper

STUDIO = "cli"
QUICK = {"attempts": 1, "poll": 0.1, "stall": 20.0, "total": 60.0}

SaveStudio = Callable[..., None]
MakeClip = Callable[..., Path]


@pytest.fixture(scope="session")
def warm(prefect_api: str) -> Iterator[WarmProcess]:
    with WarmProcess({**QUIET, "PREFECT_API_URL": prefect_api, "NO_COLOR": "1"}) as process:
        yield process


@pytest.fixture(scope="session")
def shared_world() -> Iterator[Sandbox]:
    with Sandbox(rate_scale=20) as running:
        yield running


@pytest.fixture
def world(shared_world: Sandbox) -> Sandbox:
    """A world in which nothing has happened."""
    shared_world.reset()
    return shared_world


@pytest.fixture
def postflow(
    warm: WarmProcess, world: Sandbox, private_state: Path, tmp_path: Path
) -> Iterator[CommandLine]:
    """Runs `postflow` on a machine that remembers nothing; the sandbox's secrets must not show."""
    folder = tmp_path / "runs"
    folder.mkdir()
    environment = {
        "POSTFLOW_STATE_DIR": str(private_state),
        "POSTFLOW_STUDIO": STUDIO,
        "PREFECT_LOCAL_STORAGE_PATH": str(tmp_path / "results"),
    }
    line = CommandLine(warm.process, folder, environment, secrets_of(world))
    yield line
    line.close()


def secrets_of(world: Sandbox) -> set[str]:
    webhook = urlsplit(world.discord_webhook_url).path.rpartition("/")[2]
    return {world.client_secret, world.ngrok_authtoken, webhook}


@pytest.fixture(scope="session")
def keeper(prefect_api: str) -> StudioKeeper:
    return StudioKeeper(STUDIO)


@pytest.fixture
def save_studio(world: Sandbox, keeper: StudioKeeper) -> SaveStudio:
    """Save a studio in the sandbox; keywords change its tables, None removes one."""

    def save(**changes: dict[str, Any] | None) -> None:
        tables: dict[str, Any] = sandbox_studio(world.describe(), name=STUDIO)
        tables["studio"]["retry_policy"] = QUICK
        for table, values in changes.items():
            tables[table] = None if values is None else {**tables[table], **values}
        asyncio.run(keeper.save(tables))

    return save


@pytest.fixture
def make_clip(tmp_path: Path) -> MakeClip:
    """Put the shipped clip on disk under another name."""

    def make(name: str = "SQ07_UNDLM_00152_v003.mov") -> Path:
        folder = tmp_path / "clips"
        folder.mkdir(exist_ok=True)
        return Path(shutil.copyfile(clip_path(), folder / name))

    return make


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """A folder to be watched: a clip, one whose name says nothing, and something else."""
    folder = tmp_path / "exports"
    (folder / "SQ07").mkdir(parents=True)
    shutil.copyfile(clip_path(), folder / "SQ07" / "SQ07_UNDLM_00152_v003.mov")
    shutil.copyfile(clip_path(), folder / "final.mov")
    (folder / "notes.txt").write_text("no clip")
    return folder


@pytest.fixture
def redirect_uri() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"https://localhost:{free.getsockname()[1]}/callback"
