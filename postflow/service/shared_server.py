"""The Prefect server that commands share where none is configured and `postflow up` does not run.

The first command starts it, and it stays until nobody has used it for a while, so that the next
ones need not wait. Of the one that Prefect would start for each, every user of the machine reads
the port in the process list, and can take it before it listens.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from postflow.engine.parent import GROUP
from postflow.servers import (
    API,
    SHARED,
    locked,
    nobody_uses_it,
    our_server,
    password,
    told_address,
)
from postflow.state import lock_dir, state_dir, write_private

from .console import err
from .server import SERVER, listening, server_environment, ui_address, wait_until_healthy
from .supervisor import LOG, PYTHON

if TYPE_CHECKING:
    import uvicorn

# Seconds without a user after which it ends, and so many once another is found in its place.
IDLE = 600.0
IDLE_UNFOUND = 15.0
LOOK = 1.0
# Whence Prefect may take its server's address; all of them but the environment are files.
CONFIGURED_IN = ("./prefect.toml", "pyproject.toml", ".env")


def idle_time() -> float:
    """POSTFLOW_SERVER_IDLE, in seconds."""
    with suppress(ValueError):
        return max(0.0, float(os.environ.get("POSTFLOW_SERVER_IDLE", "")))
    return IDLE


def is_surely_needed() -> bool:
    """Known without importing Prefect: no server is configured, and none of ours runs."""
    home = Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()
    settings = (home / "profiles.toml", *map(Path, CONFIGURED_IN))
    return not (os.environ.get(API) or any(map(Path.exists, settings)) or our_server())


def find_or_start() -> None:
    """Point this process at it. Raises Fatal `prefect.server`.

    Of two commands that come at once, one starts it.
    """
    with FileLock(lock_dir() / "shared-server.lock", mode=0o600):
        api = our_server() or _start()
    from postflow.blocks.base import set_environment

    set_environment({API: api, **locked(password())})


def _start() -> str:
    log_path = state_dir() / "command" / "server.log"
    with listening(0) as listener:
        port = listener.getsockname()[1]
        url = ui_address(port)
        ours = {API: f"{url}/api", **locked(password())}
        environment = server_environment(url, port) | ours
        for of_a_part in (GROUP, LOG):
            environment.pop(of_a_part, None)
        write_private(log_path, "")
        with log_path.open("ab") as log:
            server = subprocess.Popen(
                [*PYTHON, SERVER, "--fd", str(listener.fileno()), "--idle", str(idle_time())],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[listener.fileno()],
            )
    import postflow.blocks.base  # noqa: F401 - takes as long as the start, which goes on meanwhile

    wait_until_healthy(server, url, log_path)
    while told_address(SHARED) != ours[API] and server.poll() is None:
        time.sleep(LOOK / 50)  # else a command that waits for the lock would start another
    if err.is_terminal and (idle := idle_time()):
        err.print(f"Prefect runs now, and stays for your next commands: {_shown(idle)}.")
    return ours[API]


def _shown(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} s"


def stay_while_used(server: uvicorn.Server, api_url: str, idle: float) -> None:
    """In the server's process: let commands find it, and end it once nobody uses it any more."""
    threading.Thread(target=_stay, args=(server, api_url, idle), name="idle", daemon=True).start()


def _stay(server: uvicorn.Server, api_url: str, idle: float) -> None:
    while not server.started:
        time.sleep(LOOK / 10)
    with suppress(OSError):  # its state folder is gone
        write_private(state_dir() / SHARED, api_url)
        since = time.monotonic()
        while True:
            time.sleep(LOOK)
            with nobody_uses_it() as it_is_so:
                if not it_is_so:
                    since = time.monotonic()
                elif time.monotonic() - since >= _limit(api_url, idle):
                    if told_address(SHARED) == api_url:
                        (state_dir() / SHARED).unlink()
                    break
    server.should_exit = True


def _limit(api_url: str, idle: float) -> float:
    """Sooner where nobody will find it any more."""
    found = told_address() is None and told_address(SHARED) == api_url
    return idle if found else min(idle, IDLE_UNFOUND)
