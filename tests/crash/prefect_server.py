"""A Prefect server in a process of its own, which can be killed and started again."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import httpx

from postflow.service.server import SERVER, server_environment, ui_address
from tests.support.prefect_home import migrated
from tests.support.wait import wait_until_sync


class PrefectServer:
    """`with PrefectServer(home) as server:`; what it knows is in `home`."""

    def __init__(self, home: Path) -> None:
        self._home = home
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self._client = httpx.Client()

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self._port}/api"

    def start(self) -> None:
        command = [sys.executable, "-P", "-m", SERVER]
        environment = server_environment(ui_address(self._port), self._port)
        environment["PREFECT_HOME"] = str(self._home)
        environment.pop("PREFECT_API_URL", None)
        with (self._home / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        wait_until_sync(self._answers, timeout=180, description="the Prefect server")

    def kill(self) -> None:
        assert self._process
        self._process.kill()
        self._process.wait()
        self._process = None

    def _answers(self) -> bool:
        try:
            return self._client.get(f"{self.api}/health").is_success
        except httpx.HTTPError:
            return False

    def __enter__(self) -> PrefectServer:
        migrated(self._home)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self.kill()
        self._client.close()
