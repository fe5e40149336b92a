"""Stand-in ngrok agents for one test: made, found, struck by faults, and missed when left over."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from pydantic import SecretStr

from postflow.outlet.ngrok.folder import has_ended
from postflow.outlet.ngrok.provider import NgrokProvider
from postflow.sandbox.ngrok_agent.settings import write_wrapper

TOKEN = "2standInToken_0123456789abcdef"


@dataclass
class Agents:
    """All that a test's agents leave is below `folder`."""

    folder: Path
    _made: list[Path] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def ngrok(self, *faults: dict[str, Any], token: str = TOKEN, **settings: Any) -> Path:
        """An executable that takes only `token` and has `faults` from its start."""
        path = self.folder / f"ngrok{len(self._made)}"
        self._made.append(write_wrapper(path, authtoken=token, faults=faults, **settings))
        return path

    def provider(
        self, *faults: dict[str, Any], given: str = TOKEN, ngrok: Path | None = None, **rest: Any
    ) -> NgrokProvider:
        """Settings with limits fit for a test. `given`: the token we present."""
        limits = {"startup_timeout": 20, "open_timeout": 0, "longest_pause": 0.05}
        return NgrokProvider(
            ngrok_path=ngrok or self.ngrok(*faults),
            authtoken=SecretStr(given),
            state_dir=self.state,
            **{**limits, **rest},
        )

    def running(self) -> dict[psutil.Process, str]:
        """What runs on behalf of this test, and its command: some end while they are looked at."""
        found = {}
        for process in psutil.process_iter():
            try:
                command = " ".join(process.cmdline())
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            if str(self.folder) in command and "ngrok" in command and not has_ended(process):
                found[process] = command
        return found

    def processes(self) -> list[psutil.Process]:
        return list(self.running())

    def leftovers(self) -> list[str]:
        """Files that an agent should have taken along, and processes."""
        files = [str(p) for p in (self.state / "ngrok").rglob("*")]
        return [*files, *self.running().values()]

    async def strike(self, what: str, **options: Any) -> None:
        """Let a fault happen in the only running agent."""
        (config,) = (self.state / "ngrok").glob("*/ngrok.yml")
        address = json.loads(config.read_text())["agent"]["web_addr"]
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"http://{address}/standin/faults", json={"what": what, **options}) as sent,
        ):
            assert sent.status == 204

    async def crash(self) -> None:
        try:
            await self.strike("agent_crash")
        except aiohttp.ClientError:
            return
        raise AssertionError("The agent answered after its death.")
