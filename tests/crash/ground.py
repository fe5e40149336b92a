"""A studio in a sandbox of its own, with a watch folder, and lives that deliver from it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Literal

from postflow.cli.sandbox import sandbox_studio
from postflow.folder.watcher import FolderWatcher
from postflow.ledger import Ledger, open_ledger
from postflow.models import Transfer
from postflow.sandbox import Sandbox
from postflow.sandbox.clips import clip_path
from postflow.settings import Watching
from tests.crash.killing import Death
from tests.crash.life import Order
from tests.crash.lives import Life, Nursery
from tests.support.enrolled import enrolled

Tunnel = Literal["loopback", "ngrok"]

QUICK_WATCH = {"quiet": 0.2, "idle_timeout": 0.2, "interval": 0.2}
QUICK = {"poll": 0.05, "stall": 20.0, "total": 60.0}
MEDIA_ATOM = b"\0\0\0\x09mdatx"

_numbers = count(1)


class Ground:
    """One crash's world. `ledger` is a path or URL."""

    def __init__(self, world: Sandbox, nursery: Nursery, folder: Path, studio: str) -> None:
        self.world = world
        self.studio = studio
        self.folder = folder
        self.watched = folder / "watched"
        self.state = folder / "state"
        self.ledger: str = str(self.state / "ledger.db")
        self.api: str | None = None
        self.haste = 1.0
        self.tables: dict[str, dict[str, Any]] = {}
        self._nursery = nursery
        self._lives = 0

    async def use_tunnel(self, tunnel: Tunnel) -> None:
        """From the next life on."""
        from postflow.service.save_studio import save_studio
        from postflow.service.studio_file import StudioFile

        other = {"tunnel": {"provider": "loopback"}} if tunnel == "loopback" else {}
        await save_studio(StudioFile.model_validate(self.tables | other))

    def drop(self, name: str, *, atoms: int = 0) -> Path:
        """A finished clip, 8 bytes longer for each atom, moved into place."""
        path = self.watched / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = self.folder / "new"
        shutil.copyfile(clip_path(), new)
        with new.open("ab") as file:
            file.write(MEDIA_ATOM * atoms)
        return new.rename(path)

    def start(self, death: Death | None = None, *, idle_timeout: float | None = None) -> Life:
        self._lives += 1
        (self.folder / f"life-{self._lives}.commits").touch()
        return self._nursery.start(
            Order(
                studio=self.studio,
                state=self.state,
                log=self.folder / f"life-{self._lives}.log",
                witness=self.folder / f"life-{self._lives}.commits",
                death=death or Death(),
                idle_timeout=idle_timeout,
                api=self.api,
                haste=self.haste,
            )
        )

    def live(self, death: Death | None = None, *, idle_timeout: float | None = None) -> bool:
        """True if the run came to its end."""
        return self.start(death, idle_timeout=idle_timeout).ends()

    async def watched_until_ready(self, clips: int = 1) -> None:
        """As the watcher does before `ingest` comes: so many are ready in the ledger."""
        async with open_ledger(self.ledger) as ledger, asyncio.timeout(60):
            watcher = FolderWatcher(ledger, self.studio, self.watched, Watching(quiet=0.05))
            ready = set[str]()
            while len(ready) < clips:
                ready.update((await watcher.scan()).ready)
                await asyncio.sleep(0.02)

    def log(self, life: int) -> str:
        return (self.folder / f"life-{life}.log").read_text()

    def transitions(self, life: int) -> list[str]:
        """What a life committed, in order."""
        return (self.folder / f"life-{life}.commits").read_text().splitlines()

    def open_ledger(self) -> Ledger:
        return Ledger.open(self.ledger)


@asynccontextmanager
async def prepare(
    nursery: Nursery,
    folder: Path,
    *,
    tunnel: Tunnel = "loopback",
    transfer: Transfer = "tunnel",
    ledger: str | None = None,
    watching: dict[str, Any] | None = None,
    share: str | None = None,
    **switches: Any,
) -> AsyncIterator[Ground]:
    """A fresh world, and a studio of its own on the Prefect server. `share`: what a link is per."""
    with Sandbox(**switches) as world:
        ground = Ground(world, nursery, folder, f"crash-{next(_numbers)}")
        ground.state.mkdir(parents=True)
        ground.watched.mkdir()
        tables = sandbox_studio(world.describe(), name=ground.studio)
        watch = QUICK_WATCH | {"folders": [ground.watched]} | (watching or {})
        tables["studio"] |= {"watching": watch, "retry_policy": QUICK, "transfer": transfer}
        if share:
            tables["frameio"]["share"] = {"per": share}
        if ledger:
            ground.ledger = tables["studio"]["ledger"] = ledger
        enrolled(ground.watched, studio=ground.studio, ledger=ground.ledger)
        ground.tables = tables
        await ground.use_tunnel(tunnel)
        yield ground
