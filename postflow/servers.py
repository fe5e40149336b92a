"""Servers of ours on this machine, Prefect's and the page's: where they are, their passwords, and
the proof of the first.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from filelock import FileLock

from .state import demand_own, lock_dir, state_dir, write_private

log = logging.getLogger("postflow")

API = "PREFECT_API_URL"
SERVER_PASSWORD = "PREFECT_SERVER_API_AUTH_STRING"
CLIENT_PASSWORD = "PREFECT_API_AUTH_STRING"
PROOF = "/postflow/proof"
# The names of this machine by which its servers may be asked.
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
# Files that say where a server is: those of `up`, and the one that commands share.
PREFECT = "prefect-api-url"
PAGE = "page-url"
SHARED = "command/prefect-api-url"
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


def reading_password() -> str:
    """For who may look at the page of clips, and do nothing there."""
    return _kept_password(state_dir() / "page-password")


def passing_password() -> str:
    """For a server that proves nothing: what the environment names, else one for us alone."""
    return _given_password() or ONCE


def _given_password() -> str | None:
    return os.environ.get(SERVER_PASSWORD) or os.environ.get(CLIENT_PASSWORD) or None


def _new_password() -> str:
    return f"postflow:{secrets.token_urlsafe(32)}"


def keep_password(said: str) -> None:
    """That of the server that this host has joined: the page of clips asks for it from now on, also
    where a command's environment does not name it.
    """
    write_private(state_dir() / "prefect-password", said)


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


def our_server(*, shared: bool = True) -> str | None:
    """The API of a Prefect server of ours that runs here: that of `up`, or else the one that
    commands share, which then stays for as long as this process does.
    """
    given = os.environ.get(API)
    if shared:
        _stay(state_dir() / "command")
    for address in (told_address(), told_address(SHARED) if shared else None):
        if address and given in (None, "", address) and is_ours(address):
            return address
    return None


@cache
def _stay(folder: Path) -> int:
    """The lock that says that somebody uses the shared server; it ends with this process."""
    folder.mkdir(exist_ok=True, mode=0o700)
    handle = os.open(folder / "in-use.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(handle, fcntl.LOCK_SH)
    return handle


@contextmanager
def nobody_uses_it() -> Iterator[bool]:
    """For the shared server: is that so? While this lasts, nobody begins to."""
    with (state_dir() / "command" / "in-use.lock").open("a") as lock:
        yield _locked_out(lock.fileno())


def _locked_out(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def address_told(url: str, server: str = PREFECT) -> Iterator[None]:
    """Let others on this machine find a server of `postflow up`: Prefect's, or the page's."""
    file = state_dir() / server
    write_private(file, url)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def told_address(server: str = PREFECT) -> str | None:
    """Where that server is said to be. A `kill -9` leaves the word behind."""
    try:
        return (state_dir() / server).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def is_ours(api_url: str) -> bool:
    """Does who listens there know the password?"""
    import httpx

    server = httpx.URL(api_url).netloc.decode()
    question = secrets.token_hex(16)
    try:
        answer = _ask(f"http://{server}{PROOF}", question)
    except httpx.ConnectError:
        return False
    except httpx.TransportError:
        log.warning("What listens at %s does not say whether it is ours, and is not used.", server)
        return False
    if hmac.compare_digest(answer.encode(), proof(password(), server, question).encode()):
        return True
    log.warning("What listens at %s is not a Prefect server of ours, and is not used.", server)
    return False


def _ask(url: str, question: str) -> str:
    """A stranger may answer without end."""
    import httpx

    asked = {"question": question}
    with httpx.stream("GET", url, params=asked, timeout=PATIENCE) as answer:
        return next(answer.iter_bytes(DIGITS), b"").decode(errors="replace")


def proof(password: str, server: str, question: str) -> str:
    """Worth nothing to anybody but who asked, nor at another port."""
    told = f"{server} {question}".encode()
    return hmac.new(password.encode(), told, hashlib.sha256).hexdigest()
