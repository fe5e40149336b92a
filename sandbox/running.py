"""A world in a thread of its own, for tests and for `python -m postflow.sandbox`."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import threading
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self, TypeVar

from aiohttp import web

from postflow.sandbox.frameio.contract import ContractBroken
from postflow.sandbox.ims.credentials import USER_SCOPES, read_scopes
from postflow.sandbox.ngrok_agent.settings import write_wrapper

from .control import FaultOrder, arm
from .frameio import shapes
from .server import application
from .switches import Switches
from .world import World

T = TypeVar("T")
HOST = "127.0.0.1"


class LoopThread:
    """`with LoopThread("name") as loop:`; at the end the thread is gone."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._turn, name=self._name, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the loop and wait for what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def ask(self, question: Callable[[], T]) -> T:
        """Call `question` on the loop, so that nothing changes meanwhile."""

        async def answer() -> T:
            return question()

        return self.run(answer())

    def _turn(self) -> None:
        """Turn until stopped, then end what still runs and close."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.get_loop().run_forever()


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
        self._loop = LoopThread("sandbox")
        self._open = ExitStack()
        self._world: World | None = None

    def __enter__(self) -> Self:
        """Open the port and serve. Raises OSError if the port is taken."""
        with ExitStack() as opening:
            listener = opening.enter_context(socket.create_server((HOST, self._port)))
            folder = self._folder or Path(opening.enter_context(_temporary_folder()))
            url = f"http://{HOST}:{listener.getsockname()[1]}"
            world = self._world = World(self._switches, folder, url)
            for name, value in world.describe().items():
                setattr(self, name, value)
            write_wrapper(Path(self.ngrok_path), authtoken=self.ngrok_authtoken, control_url=url)
            loop = opening.enter_context(self._loop)
            runner = loop.run(_serve(world, listener))
            opening.callback(lambda: loop.run(_stop(world, runner)))
            self._open = opening.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close every connection, end the thread, remove the temporary files.

        Raises ContractBroken where an answer was not as Frame.io's would be.
        """
        self._open.close()
        if self._there.broken and kind is None:
            raise ContractBroken("\n".join(self._there.broken))

    def describe(self) -> dict[str, Any]:
        """Addresses and ids; exactly what `python -m postflow.sandbox --json` prints."""
        return self._there.describe()

    def assets(self) -> list[dict[str, Any]]:
        return self._loop.ask(lambda: shapes.file_rows(self._there))

    def folders(self) -> list[dict[str, Any]]:
        return self._loop.ask(lambda: shapes.folder_rows(self._there))

    def shares(self) -> list[dict[str, Any]]:
        return self._loop.ask(self._there.share_rows)

    def change_share(self, share_id: str, **settings: Any) -> None:
        """As a person in Frame.io does: `enabled=False` revokes it, `expiration=…`."""
        self._loop.ask(lambda: self._there.shares[share_id].settings.update(settings))

    def rename_project(self, name: str) -> None:
        """As a person in Frame.io does, with the project that was there first."""
        self._loop.ask(lambda: setattr(self._there.studio.first_project, "name", name))

    def delete_share(self, share_id: str) -> None:
        self._loop.ask(lambda: self._there.shares.pop(share_id))

    def messages(self) -> list[dict[str, Any]]:
        return self._loop.ask(self._there.messages)

    def requests(self) -> list[dict[str, Any]]:
        return self._loop.ask(self._there.journal.entries)

    def fault(self, what: str, where: str = "*", **options: Any) -> None:
        """Arm a fault: `times`, `skip` and what the fault takes. Raises ValueError."""
        arm(self._there.faults, FaultOrder(what=what, where=where, **options))

    def mend(self, where: str | None = None) -> None:
        """End the faults that were armed for this `where`, or all of them."""
        self._there.faults.clear(where)

    def release(self) -> None:
        """End each `delay` and `late_answer` that lasts just now."""
        self._there.faults.release()

    def turn(self, **switches: Any) -> None:
        """Change switches while it runs; `reset` puts them back. Raises ValueError."""
        self._loop.ask(lambda: self._there.turn(**switches))

    def reset(self) -> None:
        """Back to the start; ids, credentials and tokens stay good."""
        self._loop.run(self._there.reset())

    def tokens(self, scope: str | None = None, expires_in: float | None = None) -> dict[str, Any]:
        """An access and a refresh token of the person at the studio, without signing in."""
        world = self._there
        scopes = USER_SCOPES if scope is None else read_scopes(scope)
        person = world.studio.person
        return self._loop.ask(
            lambda: world.ims.issue(world.confidential, person, scopes, expires_in)
        )

    @property
    def _there(self) -> World:
        if self._world is None:
            raise RuntimeError("The sandbox is not started.")
        return self._world


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="sandbox-", ignore_cleanup_errors=True)


async def _serve(world: World, listener: socket.socket) -> web.AppRunner:
    runner = web.AppRunner(application(world), access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    return runner


async def _stop(world: World, runner: web.AppRunner) -> None:
    await world.close()
    await runner.cleanup()
