"""A command in a terminal of its own, which a person reads and types into."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|\x1b[=>]|\r")
LIMIT = 180.0


class Terminal:
    """`postflow` with these arguments, until the end of the block at the latest. `told` is all that
    it has written, with the terminal's own codes.
    """

    def __init__(
        self, *arguments: str, environment: Mapping[str, str], folder: Path, columns: int = 0
    ) -> None:
        ours, theirs = os.openpty()
        if columns:
            termios.tcsetwinsize(ours, (50, columns))
        self._ours = ours
        self.told = b""
        self._read = 0
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "postflow", *arguments],
            env={"PROMPT_TOOLKIT_NO_CPR": "1", "TERM": "xterm", **environment},
            cwd=folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        while self._pump():
            pass
        self.process.wait()
        os.close(self._ours)

    @property
    def text(self) -> str:
        """Without its line ends, which are where the terminal is full."""
        return " ".join(ESCAPES.sub("", self.told.decode(errors="replace")).split())

    def see(self, what: str) -> None:
        """Waits until it stands there, behind what was seen last."""
        deadline = time.monotonic() + LIMIT
        while (at := self.text.find(what, self._read)) < 0:
            if not self._pump() or time.monotonic() > deadline:
                raise AssertionError(f"{what!r} was not told: {self.text[-4000:]}")
        self._read = at + len(what)

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def _pump(self) -> bool:
        """Read on; False once the other side has ended."""
        ready, _, _ = select.select([self._ours], [], [], 0.2)
        try:
            self.told += os.read(self._ours, 65_536) if ready else b""
        except OSError:
            return False
        return bool(ready) or self.process.poll() is None
