"""Where PostFlow keeps what it must remember on this machine."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
import shlex
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import platformdirs
from filelock import FileLock

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


log = logging.getLogger("postflow")

API = "PREFECT_API_URL"
SERVER_PASSWORD = "PREFECT_SERVER_API_AUTH_STRING"
CLIENT_PASSWORD = "PREFECT_API_AUTH_STRING"
PROOF = "/postflow/proof"
# Seconds. A busy machine answers late; a free port at once.
PATIENCE = 10.0
DIGITS = 64


def locked(password: str) -> dict[str, str]:
    """The environment of a server that asks for the password, and of its clients."""
    return {
        SERVER_PASSWORD: password,
        CLIENT_PASSWORD: password,
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
    }


def password() -> str:
    """What the environment names, else one that is made once and kept in the state folder."""
    given = _given_password()
    return given if given not in (None, ONCE) else _kept_password(state_dir() / "prefect-password")


def passing_password() -> str:
    """For a server that proves nothing: what the environment names, else one for us alone."""
    return _given_password() or ONCE


def _given_password() -> str | None:
    return os.environ.get(SERVER_PASSWORD) or os.environ.get(CLIENT_PASSWORD) or None


def _new_password() -> str:
    return f"postflow:{secrets.token_urlsafe(32)}"


def _kept_password(path: Path) -> str:
    with FileLock(lock_dir() / "prefect-password.lock", mode=0o600):
        kept = path.read_text(encoding="utf-8") if path.exists() else ""
        if kept:
            demand_own(
                path, "Remove it, so that one is made anew, and let nobody else write there."
            )
        else:
            kept = _new_password()
            write_private(path, kept)
        return kept


ONCE = _new_password()


@contextmanager
def address_told(api_url: str) -> Iterator[None]:
    """Let others on this machine find the server that `postflow up` has started."""
    write_private(_address_file(), api_url)
    try:
        yield
    finally:
        _address_file().unlink(missing_ok=True)


def told_address() -> str | None:
    """Where the server of `up` is said to be. A `kill -9` leaves the word behind."""
    try:
        return _address_file().read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _address_file() -> Path:
    return state_dir() / "prefect-api-url"


def is_ours(api_url: str) -> bool:
    """Does who listens there know the password?"""
    server = httpx.URL(api_url).netloc.decode()
    question = secrets.token_hex(16)
    try:
        answer = _ask(f"http://{server}{PROOF}", question)
    except httpx.ConnectError:
        return False
    except httpx.TransportError as error:
        answer = type(error).__name__
    if hmac.compare_digest(answer.encode(), proof(password(), server, question).encode()):
        return True
    log.warning("What listens at %s is not the server of `postflow up`, and is not used.", server)
    return False


def _ask(url: str, question: str) -> str:
    """A stranger may answer without end."""
    asked = {"question": question}
    with httpx.stream("GET", url, params=asked, timeout=PATIENCE) as answer:
        return next(answer.iter_bytes(DIGITS), b"").decode(errors="replace")


def proof(password: str, server: str, question: str) -> str:
    """Worth nothing to anybody but who asked, nor at another port."""
    told = f"{server} {question}".encode()
    return hmac.new(password.encode(), told, hashlib.sha256).hexdigest()
