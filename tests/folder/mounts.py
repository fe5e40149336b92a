"""A real FUSE mount that can be unmounted and killed, where the machine allows one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.wait import wait_until_sync


class Mount:
    """A bindfs mirror of `source` at `point`: what LucidLink is to a scanner, a foreign FUSE."""

    def __init__(self, source: Path, point: Path) -> None:
        self.source = source
        self.point = point
        self._process: subprocess.Popen[bytes] | None = None

    def mount(self) -> None:
        self._process = subprocess.Popen(["bindfs", "-f", str(self.source), str(self.point)])
        wait_until_sync(lambda: os.path.ismount(self.point), description="the FUSE mount")

    def unmount(self) -> None:
        subprocess.run(["fusermount3", "-u", "-z", str(self.point)], check=True)
        self._end()

    def kill(self) -> None:
        """Kill the file system's own process: the mount stays, and every access fails."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        if self._process is not None:
            subprocess.run(["fusermount3", "-u", "-z", str(self.point)], stderr=subprocess.DEVNULL)
            self._end()

    def _end(self) -> None:
        assert self._process is not None
        self._process.wait(20)
        self._process = None


def why_no_fuse() -> str | None:
    """What is missing for a real FUSE mount here, or None."""
    missing = [tool for tool in ("bindfs", "fusermount3") if shutil.which(tool) is None]
    if missing:
        return f"{' and '.join(missing)} not installed"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse is not there or not ours to use"
    return None
