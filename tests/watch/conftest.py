"""Two studios whose processes run for real, from a wheel, in a sandbox's world."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from postflow.cli.sandbox import sandbox_studio
from postflow.ledger import Clip, Ledger, queries
from postflow.outlet.tunnel import free_port
from postflow.sandbox import Sandbox
from postflow.sandbox.clips import clip_path
from postflow.service.studio_file import as_toml
from tests.support.prefect_home import migrated
from tests.support.signed_in import SignedIn
from tests.support.wait import wait_until_sync
from tests.watch.installed import Stranger, build, installed

MAIN, SECOND = "main", "second"
NEVER = 86400.0
MEDIA_ATOM = b"\0\0\0\x09mdatx"


class Running:
    """`postflow up` of two studios, and what a person sees of the first."""

    def __init__(self, world: Sandbox, home: Path, stranger: Stranger) -> None:
        self.world = world
        self.stranger = stranger
        self.home = home
        self.port = free_port()
        self.environment = clean_environment() | {
            "POSTFLOW_STATE_DIR": str(home / "state"),
            "PREFECT_HOME": str(migrated(home / "prefect")),
        }
        (home / "state").mkdir(mode=0o700)
        self.process: psutil.Popen

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def start(self, *arguments: str, every: float = NEVER) -> None:
        """Returns when it watches."""
        arguments += ("--port", str(self.port), "--every", str(every))
        with (self.home / "up.log").open("wb") as log:
            self.process = psutil.Popen(
                [str(self.stranger.bin / "postflow"), "up", *arguments],
                cwd=self.stranger.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until_sync(self._is_up, timeout=240, description="postflow up")

    def studio_file(self, studio: str) -> Path:
        """A new one; makes its watch folder."""
        folder = self.home / studio
        folder.mkdir()
        tables = sandbox_studio(self.world.describe(), name=studio)
        tables["studio.watching"] = {
            "folders": [str(folder)],
            "quiet": 0.2,
            "interval": 0.5,  # of two watchers for minutes, where 0.2 takes a tenth of a core
            "idle_timeout": 8.0,
        }
        tables["studio.retry_policy"] = {"poll": 0.2}
        path = self.home / f"{studio}.toml"
        path.write_text(as_toml(tables), encoding="utf-8")
        return path

    def part(self, command: str, studio: str = MAIN) -> psutil.Process | None:
        """The process of one of its parts."""
        for each in self.process.children():
            with contextlib.suppress(psutil.NoSuchProcess):
                line = each.cmdline()
                if command in line and studio in line:
                    return each
        return None

    def said(self) -> str:
        return (self.home / "up.log").read_text(encoding="utf-8")

    def drop(self, name: str, *, extra: int = 0, studio: str = MAIN) -> None:
        """A whole clip appears under its name, as if moved there."""
        folder = self.home / studio
        hidden = folder / f".{name}"
        hidden.write_bytes(clip_path().read_bytes() + MEDIA_ATOM * extra)
        hidden.replace(folder / name)

    def clip(self, name: str) -> Clip | None:
        """The newest revision under this name, as the ledger has it."""
        with Ledger.open(self.home / "state" / "ledger.db") as ledger:
            return next(iter(queries.rows(ledger, name=name)), None)

    def ingest_runs(self, studio: str = MAIN) -> list[dict[str, Any]]:
        """Those that were due, the last one first."""
        named = {"name": {"any_": ["ingest" if studio == MAIN else f"ingest-{studio}"]}}
        runs = self.runs("ingest", deployments=named)
        return [run for run in runs if run["state_type"] != "SCHEDULED"]

    def deliver_runs(self) -> list[dict[str, Any]]:
        return self.runs("deliver")

    def runs(self, flow: str, **more: Any) -> list[dict[str, Any]]:
        body = {"flows": {"name": {"any_": [flow]}}, "sort": "START_TIME_DESC", "limit": 200}
        found: list[dict[str, Any]] = self.ask("flow_runs/filter", body | more)
        return found

    def run_of(self, name: str) -> dict[str, Any]:
        return next(run for run in self.deliver_runs() if run["name"] == name)

    def cancel(self, run: dict[str, Any]) -> None:
        """What the button in Prefect's UI does."""
        self.ask(f"flow_runs/{run['id']}/set_state", {"state": {"type": "CANCELLING"}})

    def ask(self, path: str, body: dict[str, Any]) -> Any:
        answer = self._request("POST", path, json=body)
        return answer.raise_for_status().json()

    def settings(self) -> Any:
        """What Prefect's server goes by."""
        return self._request("GET", "admin/settings").raise_for_status().json()

    @property
    def password(self) -> str:
        return (self.home / "state" / "prefect-password").read_text()

    def _request(self, method: str, path: str, json: Any = None) -> httpx.Response:
        auth = SignedIn(self.password)
        return httpx.request(method, f"{self.api}/{path}", json=json, auth=auth, timeout=20)

    def postflow(self, *arguments: str) -> str:
        """What a command prints; it has to succeed."""
        return self.run("postflow", *arguments)

    def run(self, command: str, *arguments: str, **environment: str) -> str:
        """The same of another command."""
        given = self.environment | environment
        return self.stranger.run(command, *arguments, environment=given)

    def delivered(self) -> list[str]:
        return [asset["name"] for asset in self.world.assets() if asset["status"] == "transcoded"]

    def family(self) -> list[psutil.Process]:
        """All processes below and of `up`."""
        return [self.process, *self.process.children(recursive=True)]

    def _is_up(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"postflow up ended: {self.said()}")
        return "PostFlow watches" in self.said()


def clean_environment() -> dict[str, str]:
    """Nothing of the test session's own Prefect server."""
    ours = ("PREFECT_API", "PREFECT_SERVER", "PREFECT_HOME", "PREFECT__", "POSTFLOW_", "NGROK_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def stranger(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    return installed(wheel, tmp_path_factory.mktemp("stranger"))


@pytest.fixture(scope="session")
def up(stranger: Stranger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One start for all tests; the last of them stops it."""
    with Sandbox() as world:
        running = Running(world, tmp_path_factory.mktemp("studio"), stranger)
        files = [str(running.studio_file(studio)) for studio in (MAIN, SECOND)]
        running.start("--file", files[0], "--file", files[1])
        yield running
        family = running.family() if running.process.is_running() else []
        if running.process.poll() is None:
            running.process.terminate()
        _, alive = psutil.wait_procs(family, timeout=60)
        for survivor in alive:
            survivor.kill()
