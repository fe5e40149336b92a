"""PostFlow from a wheel, in the folder of somebody who has flows, tasks and blocks of his own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
UV = str(shutil.which("uv", path=f"{ROOT / '.tools' / 'bin'}{os.pathsep}{os.environ['PATH']}"))
THEIRS = ("flows/__init__.py", "blocks/__init__.py", "sandbox/__init__.py", "tasks.py")


class Stranger(NamedTuple):
    """A folder with modules of its own, and the commands that are installed elsewhere."""

    folder: Path
    bin: Path

    def run(self, command: str, *arguments: str, environment: Mapping[str, str]) -> str:
        """What it prints; it has to succeed."""
        done = subprocess.run(
            [str(self.bin / command), *arguments],
            cwd=self.folder,
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def build(target: Path, *options: str) -> Path:
    """Through the source distribution, if no option says otherwise."""
    command = [UV, "build", "--quiet", "--out-dir", str(target), *options, str(ROOT)]
    subprocess.run(command, check=True)
    return next(target.glob("*.whl"))


def installed(wheel: Path, home: Path) -> Stranger:
    """An environment with the wheel; what it needs is lent by ours, which is no site folder there,
    so that the checkout is not.
    """
    venv, folder = home / "venv", home / "project"
    for each in THEIRS:
        (folder / each).parent.mkdir(parents=True, exist_ok=True)
        (folder / each).write_text("raise RuntimeError('of somebody else')\n")
    subprocess.run([UV, "venv", "-q", "--python", sys.executable, str(venv)], check=True)
    install = (
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--compile-bytecode",
        "--python",
        str(venv),
        str(wheel),
    )
    subprocess.run([UV, *install], check=True)
    (site,) = (venv / "lib").glob("*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib"))
    script = (Path(sys.executable).parent / "prefect").read_text().partition("\n")[2]
    prefect = venv / "bin" / "prefect"
    prefect.write_text(f"#!{venv / 'bin' / 'python'}\n{script}")
    prefect.chmod(0o755)
    return Stranger(folder, venv / "bin")
