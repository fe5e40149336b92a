"""Where PostFlow keeps what it must remember on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from postflow.errors import Fatal


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
    return path


def lock_dir() -> Path:
    """Where the processes of this machine lock each other out."""
    path = state_dir() / "locks"
    path.mkdir(exist_ok=True, mode=0o700)
    return path
