"""Prefect's database as its migrations leave it, which take each new server five seconds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock

CACHE = Path(__file__).parents[2] / ".pytest_cache" / "d" / "prefect"
DATABASE = "prefect.db"


def migrated(home: Path) -> Path:
    """`home`, with a database if it had none."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    CACHE.mkdir(parents=True, exist_ok=True)
    template = CACHE / f"{version('prefect')}.db"
    with FileLock(CACHE / "lock"):
        if not template.exists():
            _migrate(template)
    if not (home / DATABASE).exists():
        shutil.copyfile(template, home / DATABASE)
    return home


def _migrate(template: Path) -> None:
    command = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"]
    with TemporaryDirectory(dir=template.parent) as folder:
        environment = os.environ | {"PREFECT_HOME": folder}
        environment.pop("PREFECT_API_URL", None)
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        (Path(folder) / DATABASE).rename(template)
