"""A world in a thread of its own, for tests and for `python -m sandbox`."""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import web

from sandbox import report
from sandbox.control import FaultOrder, arm
from sandbox.ims.credentials import USER_SCOPES, read_scopes
from sandbox.ngrok_agent.wrapper import write_wrapper
from sandbox.server import application
from sandbox.switches import Switches
from sandbox.world import World

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
STOP_TIMEOUT = 10.0

T = TypeVar("T")


class Sandbox:
    """`with Sandbox() as world:`; keywords are switches (see Switches).

    `port` 0 takes a free one. Without `folder`, what arrives is kept in a temporary one, and
    removed at the end.
    """

    url: str
    account_id: str
    workspace_id: str
    project_id: str
    project_name: str
    root_folder_id: str
    client_id: str
    client_secret: str
    public_client_id: str
    discord_webhook_url: str
    ngrok_path: str
    ngrok_authtoken: str

    def __init__(self, *, port: int = 0, folder: Path | None = None, **switches: Any) -> None:
        self._switches = Switches(**switches)
        self._port = port
        self._folder = folder
        self._own_folder = folder is None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self._world: World | None = None
        self._runner: web.AppRunner | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Open the port and serve. Raises OSError if the port is taken."""
        try:
            listener = socket.create_server((HOST, self._port))
            self._world = self._make_world(f"http://{HOST}:{listener.getsockname()[1]}")
            self._thread.start()
            self._runner = self._on_loop(self._serve(self._world, listener))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Close every connection and end the thread."""
        try:
            if self._thread.is_alive():
                self._on_loop(self._close())
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join(STOP_TIMEOUT)
        finally:
            self._loop.close()
            if self._own_folder and self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    def _make_world(self, url: str) -> World:
        self._folder = self._folder or Path(tempfile.mkdtemp(prefix="sandbox-"))
        world = World(self._switches, self._folder, url)
        for name, value in world.describe().items():
            setattr(self, name, value)
        write_wrapper(Path(self.ngrok_path), authtoken=self.ngrok_authtoken, control_url=url)
        return world

    def describe(self) -> dict[str, Any]:
        """Addresses and ids; exactly what `python -m sandbox --json` prints."""
        return self._there.describe()

    def assets(self) -> list[dict[str, Any]]:
        return self._ask(lambda: report.assets(self._there))

    def folders(self) -> list[dict[str, Any]]:
        return self._ask(lambda: report.folders(self._there))

    def messages(self) -> list[dict[str, Any]]:
        return self._ask(self._there.messages)

    def requests(self) -> list[dict[str, Any]]:
        return self._ask(self._there.journal.entries)

    def fault(self, what: str, where: str = "*", **options: Any) -> None:
        """Arm a fault: `times`, `skip` and what the fault takes. Raises ValueError."""
        arm(self._there.faults, FaultOrder(what=what, where=where, **options))

    def reset(self) -> None:
        """Back to the start; ids, credentials and tokens stay good."""
        self._on_loop(self._there.reset())

    def tokens(self, scope: str | None = None, expires_in: float | None = None) -> dict[str, Any]:
        """An access and a refresh token of the person at the studio, without signing in."""
        world = self._there
        scopes = USER_SCOPES if scope is None else read_scopes(scope)
        person = world.studio.person
        return self._ask(lambda: world.ims.issue(world.confidential, person, scopes, expires_in))

    @property
    def _there(self) -> World:
        if self._world is None:
            raise RuntimeError("The sandbox is not started.")
        return self._world

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _on_loop(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _ask(self, question: Callable[[], T]) -> T:
        async def answer() -> T:
            return question()

        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result()

    @staticmethod
    async def _serve(world: World, listener: socket.socket) -> web.AppRunner:
        runner = web.AppRunner(application(world), access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        await web.SockSite(runner, listener).start()
        return runner

    async def _close(self) -> None:
        await self._there.close()
        if self._runner is not None:
            await self._runner.cleanup()
        await self._loop.shutdown_asyncgens()
        await self._loop.shutdown_default_executor()
