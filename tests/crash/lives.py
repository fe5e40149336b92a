"""Starts lives and sees them end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.crash.life import Order

PROJECT = Path(__file__).parents[2]


class Nursery:
    """The warm process; open it with `nursery`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._answer()

    def start(self, order: Order) -> Life:
        return Life(self, self.ask(json.loads(order.model_dump_json())), order)

    def ask(self, order: dict[str, Any]) -> Any:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the nursery died"
        return json.loads(line)


@dataclass
class Life:
    """A running `ingest`."""

    nursery: Nursery
    pid: int
    order: Order

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def stop(self) -> None:
        """As Ctrl-C does."""
        os.kill(self.pid, signal.SIGINT)

    def code_if_over(self) -> int | None:
        """Without waiting. Not to be asked again once it has told."""
        code = self.nursery.ask({"look": self.pid})
        return None if code is None else int(code)

    def ends(self, *, timeout: float = 240.0) -> bool:
        """True if it came to its own end, False if it was killed. Fails if it failed or hung."""
        code = self.code(timeout=timeout)
        assert code in (0, -signal.SIGKILL), self.order.log.read_text()
        return code == 0

    def code(self, *, timeout: float = 240.0) -> int:
        """The exit code, once it has ended."""
        limit = threading.Timer(timeout, self._hangs)
        limit.start()
        try:
            return int(self.nursery.ask({"wait": self.pid}))
        finally:
            limit.cancel()

    def _hangs(self) -> None:
        os.kill(self.pid, signal.SIGABRT)


@contextmanager
def nursery(prefect_api: str) -> Iterator[Nursery]:
    environment = {
        **os.environ,
        "PREFECT_API_URL": prefect_api,
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "PYTHONFAULTHANDLER": "1",
    }
    command = [sys.executable, "-m", "tests.crash.nursery"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=PROJECT,
        start_new_session=True,
    ) as process:
        try:
            yield Nursery(process)
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # with all lives that are left
