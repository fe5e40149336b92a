"""Where PostFlow keeps what it must remember on this machine."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import platformdirs

from .errors import Fatal

TO_OWN = (
    "Give it to the user that runs PostFlow (chown), or let POSTFLOW_STATE_DIR name another one."
)


def state_dir() -> Path:
    """The private folder (0700) for locks and pid files; `POSTFLOW_STATE_DIR` moves it.

    Raises Fatal `postflow.state_dir`.
    """
    given = os.environ.get("POSTFLOW_STATE_DIR")
    path = Path(given) if given else platformdirs.user_state_path("postflow")
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Fatal(
            f"PostFlow's state folder {path} cannot be made ({error.strerror}).",
            hint="Let POSTFLOW_STATE_DIR name a folder of this machine that PostFlow may write to.",
            code="postflow.state_dir",
        ) from error
    demand_own(path)
    return path


def demand_own(path: Path, hint: str = TO_OWN) -> None:
    """What is another user's, he may change behind our back. Raises Fatal `postflow.state_dir`."""
    if path.stat().st_uid != os.geteuid():
        raise Fatal(
            f"{path}, where PostFlow keeps what it must remember, belongs to another user.",
            hint=hint,
            code="postflow.state_dir",
        )


def open_to_others(path: Path) -> tuple[str, str] | None:
    """What to say of a file or folder with secrets that not only its owner may read, if so."""
    if not path.exists() or not path.stat().st_mode & 0o077:
        return None
    told = f"Other users of this machine may look into {path}, which holds secrets."
    return told, f"chmod -R go= {shlex.quote(str(path))}"


def write_private(path: Path, text: str) -> None:
    """At once and for its owner only, whoever may look into its folder."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def lock_dir() -> Path:
    """Where the processes of this machine lock each other out."""
    path = state_dir() / "locks"
    path.mkdir(exist_ok=True, mode=0o700)
    return path


DAY = timedelta(days=1)


def is_due(mark: Path, every: timedelta = DAY) -> bool:
    """Once in so much time, for all processes that ask with the same mark."""
    if mark.exists() and _age(mark) < every:
        return False
    mark.touch()
    return True


def sweep(files: Iterable[Path], *, older: timedelta) -> int:
    """Remove the files that were last written so long ago; how many. Blocking."""
    removed = 0
    for path in files:
        if _age(path) > older:
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _age(path: Path) -> timedelta:
    """Nothing for a file that somebody else has just removed."""
    try:
        return timedelta(seconds=time.time() - path.stat().st_mtime)
    except FileNotFoundError:
        return timedelta()
