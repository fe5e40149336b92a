"""Where PostFlow keeps what it must remember on this machine."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path, PurePath
from typing import Any

import platformdirs

from .errors import Fatal
from .language import N_

TO_OWN = N_(
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
            "PostFlow's state folder {path} cannot be made ({reason}).",
            hint="Let POSTFLOW_STATE_DIR name a folder of this machine that PostFlow may write to.",
            code="postflow.state_dir",
            path=path,
            reason=error.strerror,
        ) from error
    demand_own(path)
    return path


HOST = "POSTFLOW_HOST"
HOST_NAME = r"[a-z0-9]+(-[a-z0-9]+)*"


def this_host() -> str:
    """What this machine is called among a studio's hosts: POSTFLOW_HOST, else its own name without
    the domain. Small letters, digits, single hyphens. Raises Fatal `host.name`.
    """
    given = os.environ.get(HOST)
    if not given:
        label = platform.node().partition(".")[0].casefold()
        return re.sub(r"[^a-z0-9]+", "-", label).strip("-") or "host"
    if not re.fullmatch(HOST_NAME, given):
        raise Fatal(
            "{setting} is {given!r}, which is no name for a host.",
            hint="Take small letters, digits and single hyphens within, as in render-2.",
            code="host.name",
            setting=HOST,
            given=given,
        )
    return given


def leave_working_directory() -> None:
    """Prefect imports a run's flow from there first, where somebody may keep a module of any name.

    What the environment names relative to it stays where it is.
    """
    home = state_dir()
    for name in ("POSTFLOW_STATE_DIR", "PREFECT_HOME"):
        given = os.environ.get(name)
        if given and not given.startswith("~"):
            os.environ[name] = str(Path(given).absolute())
    os.chdir(home)


def demand_own(path: Path, hint: str = TO_OWN) -> None:
    """What is another user's, he may change behind our back. Raises Fatal `postflow.state_dir`."""
    if path.stat().st_uid != os.geteuid():
        raise Fatal(
            "{path}, where PostFlow keeps what it must remember, belongs to another user.",
            hint=hint,
            code="postflow.state_dir",
            path=path,
        )


def open_to_others(path: Path) -> tuple[str, str] | None:
    """What to say of a file or folder with secrets that not only its owner may read, if so."""
    if not path.exists() or not path.stat().st_mode & 0o077:
        return None
    told = N_("Other users of this machine may look into {path}, which holds secrets.", path=path)
    return told, f"chmod -R go= {shlex.quote(str(path))}"


def write_private(path: Path, content: str | bytes) -> None:
    """Put `content` at `path`, on disk, whole or not at all, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remember_studio(name: str, facts: Mapping[str, Any]) -> None:
    """For what has to be quick: as last loaded on this machine, without anything secret."""
    file, text = _studio_file(name), json.dumps(facts)
    with suppress(OSError):  # a full disk is told of by what needs it
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            write_private(file, text)


def remembered_studio(name: str) -> dict[str, Any] | None:
    try:
        facts = json.loads(_studio_file(name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None


def remembered_studios() -> list[str]:
    return sorted(file.stem for file in (state_dir() / "studios").glob("*.json"))


def meant_studio(known: Sequence[str]) -> str:
    """The one of who names none: `main`, or the only one. Raises Fatal `studio.missing` or
    `studio.several`.
    """
    if "main" in known or len(known) == 1:
        return "main" if "main" in known else known[0]
    if known:
        raise Fatal(
            "There are several studios: {studios}.",
            hint="Say which one: by --studio, by POSTFLOW_STUDIO, or in the field “studio”.",
            code="studio.several",
            studios=", ".join(known),
        )
    raise Fatal(
        "There is no studio yet on this Prefect server.",
        hint="`postflow setup` makes one. If another machine has it: `postflow up --join URL`, "
        "with the address of the Prefect server there.",
        code="studio.missing",
    )


def _studio_file(name: str) -> Path:
    return state_dir() / "studios" / f"{PurePath(name).name}.json"


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
