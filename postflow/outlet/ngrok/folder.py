"""The private folder of one running agent: what it needs, and what is needed to find it again."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

import psutil
from filelock import FileLock, Timeout
from pydantic import SecretStr

logger = logging.getLogger(__name__)

GRACE_SECONDS = 5.0


class AgentFolder:
    """Whoever holds the folder's lock owns the agent; the kernel frees it when the owner dies.

    The agent is found again by the folder's random name on its command line. That is safer than
    a pid file: there is no moment before it is written, and no pid to pass on to a stranger.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "ngrok.yml"
        self.launcher = path / "ngrok"
        self._complaints = path / "complaints.log"
        self._lock = FileLock(f"{path}.lock", timeout=0, thread_local=False, mode=0o600)

    @classmethod
    def create(cls, state_dir: Path) -> Self:
        """Make a new one below `state_dir`, locked before it can be seen."""
        home = _home(state_dir)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = cls(home / secrets.token_hex(8))
        folder._lock.acquire()
        folder.path.mkdir(mode=0o700)
        return folder

    @classmethod
    def all(cls, state_dir: Path) -> list[Self]:
        home = _home(state_dir)
        return [cls(path) for path in home.iterdir() if path.is_dir()] if home.is_dir() else []

    def take_over(self) -> bool:
        """Become the owner, if the owner is dead."""
        try:
            self._lock.acquire()
        except Timeout:
            return False
        return True

    def write_config(self, authtoken: SecretStr, port: int) -> None:
        """The agent's settings. JSON is YAML, and quotes whatever a token may hold."""
        settings = {
            "version": "3",
            "agent": {
                "authtoken": authtoken.get_secret_value(),
                "web_addr": f"127.0.0.1:{port}",
                "inspect_db_size": -1,
                "remote_management": False,
                "update_check": False,
                "console_ui": False,
            },
        }
        _write(self.config, json.dumps(settings, indent=2), 0o600)

    def write_launcher(self, ngrok: Path) -> None:
        """What pyngrok starts in ngrok's place.

        A path of our own, since pyngrok keeps one agent per path; and stderr goes to a file,
        since ngrok repeats a refused authtoken there. In the environment a token would win over
        the configured one.
        """
        lines = [
            "#!/bin/sh",
            "unset NGROK_AUTHTOKEN NGROK_API_KEY POSTFLOW_GROUP",
            f'exec {shlex.quote(str(ngrok))} "$@" 2>>{shlex.quote(str(self._complaints))}',
            "",
        ]
        _write(self._complaints, "", 0o600)
        _write(self.launcher, "\n".join(lines), 0o700)

    def complaints(self) -> str:
        """What the agent wrote to stderr."""
        return self._complaints.read_text(encoding="utf-8", errors="replace")

    def remove(self) -> None:
        """Delete everything, the token first, and give up the ownership."""
        self.config.unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)


def _home(state_dir: Path) -> Path:
    return state_dir / "ngrok"


def _write(path: Path, content: str, mode: int) -> None:
    path.touch(mode=mode)
    path.write_text(content, encoding="utf-8")


def end_child(child: subprocess.Popen[str], grace: float = GRACE_SECONDS) -> None:
    """SIGTERM, so that ngrok frees the session and the address at once; SIGKILL after `grace`."""
    if child.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):  # another thread has collected it
            end_orphan(psutil.Process(child.pid), grace)
        child.wait()


def end_orphan(orphan: psutil.Process, grace: float = GRACE_SECONDS) -> None:
    """End a process that is not our child any more."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if has_ended(orphan):
            return
        _signal_group(orphan.pid, number)
        deadline = time.monotonic() + grace
        while not has_ended(orphan) and time.monotonic() < deadline:
            time.sleep(0.02)


def has_ended(process: psutil.Process) -> bool:
    """A zombie has ended too: where nobody collects it, it stays listed for ever."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _signal_group(pid: int, number: signal.Signals) -> None:
    """Reach the agent behind a wrapper too: we start each in a session of its own."""
    with contextlib.suppress(ProcessLookupError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


def reap(state_dir: Path) -> int:
    """End each agent below `state_dir` whose owner is dead; how many. Blocks up to seconds."""
    return sum(_reap(folder) for folder in AgentFolder.all(state_dir) if folder.take_over())


def _reap(folder: AgentFolder) -> int:
    orphans = [process for process in psutil.process_iter() if _belongs(process, folder)]
    for orphan in orphans:
        logger.warning("Ending an ngrok agent that an earlier run has left behind.")
        end_orphan(orphan)
    folder.remove()
    return len(orphans)


def _belongs(process: psutil.Process, folder: AgentFolder) -> bool:
    try:
        return str(folder.config) in process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
