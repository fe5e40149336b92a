"""The marker that proves a watched folder's volume is there, and the guard against mass vanishing.

An unmounted volume leaves an empty directory behind, which looks as if every file was deleted.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, Field

from postflow.errors import Fatal, PostFlowError, Retry, printable
from postflow.language import N_
from postflow.models import FrozenModel

MARKER = ".postflow-root"
DRAFT = f"{MARKER}.new"
FEW = 20
SHARE = 0.3
LONGEST = 4096
OUT_OF_REACH = frozenset({"file.missing", "file.changed", "file.unreadable"})
DEAD = frozenset({errno.ENOTCONN, errno.EIO, errno.ESTALE})
STRANGER = N_("another volume is mounted in its place (its marker has another id)")
TAKEN_OVER = N_("another PostFlow has taken it over")
NOTE = "PostFlow looks for this file to know that the volume is here. Please leave it in place."
# Who watches a folder renews its marker's time: seconds between, and after which nobody does.
SIGN_EVERY = 30.0
SIGN_LASTS = 300.0
Said = Annotated[str, Field(max_length=400), AfterValidator(printable)]


class Owner(FrozenModel):
    """The ledger that a folder is enrolled in, as far as a marker tells: text from outside."""

    ledger: Said
    place: Said
    machine: Said
    studio: Said
    since: AwareDatetime


class RootMark(FrozenModel):
    """What the marker says. Another id under the same path is another volume."""

    id: str = Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")
    owner: Owner | None = None


class AbsentError(Exception):
    """The marker is not there or not the right one. The text says why."""


@contextmanager
def marking(root: Path, owner: Owner | None = None) -> Iterator[RootMark]:
    """The folder's mark, whose marker stands, and names the owner, once the block is left in good
    order, and not before. A marker of the same ledger is kept as it is.

    Whoever is killed in the block leaves the id for the next one.

    Fatal "scan.root_missing" or "scan.root_readonly", Retry "scan.unread".
    """
    if not _is(root, stat.S_ISDIR):
        raise missing(N_("There is no folder {folder}.", folder=root))
    is_new = not is_marked(root)
    if is_new:
        with _writable(root):
            mark = _draft(root / DRAFT)
    else:
        mark = _whole_mark(root)
    try:
        yield mark
        if is_new or (owner and not is_of(mark, owner.ledger)):
            with _writable(root):
                _put(root, RootMark(id=mark.id, owner=owner))
    finally:
        (root / DRAFT).unlink(missing_ok=True)


def is_of(mark: RootMark, ledger: str) -> bool:
    """Is the folder enrolled in that ledger, as far as its marker tells?"""
    return mark.owner is not None and mark.owner.ledger == ledger


def _whole_mark(root: Path) -> RootMark:
    try:
        return read_mark(root)
    except AbsentError as error:
        told = N_(
            "{folder} cannot be told apart from others: {why}.", folder=root, why=error.args[0]
        )
        raise missing(told) from error


def restore_mark(root: Path, mark_id: str, owner: Owner | None = None) -> None:
    """Put the marker back that a person says is missing. Raises as `marking` does."""
    if not _is(root, stat.S_ISDIR):
        raise missing(N_("There is no folder {folder}.", folder=root))
    with _writable(root):
        _put(root, RootMark(id=mark_id, owner=owner))


def sign(root: Path) -> None:
    """Somebody watches the folder at this moment. Where the marker cannot be touched, so be it."""
    with suppress(OSError):
        os.utime(root / MARKER)


def sign_off(root: Path, ledger: str) -> None:
    """The ledger's watcher watches the folder no more."""
    with suppress(OSError, AbsentError):
        if is_of(read_mark(root), ledger):
            os.utime(root / MARKER, (0, 0))


def is_signed(root: Path) -> bool:
    """Has somebody watched the folder in the last minutes? A clock that is wrong says yes."""
    try:
        return time.time() - (root / MARKER).stat().st_mtime < SIGN_LASTS
    except OSError:
        return False


def _draft(path: Path) -> RootMark:
    """The mark to be, as somebody has left it, or a new one."""
    with suppress(AbsentError):
        return _read(path)
    mark = RootMark(id=uuid.uuid4().hex)
    _write(path, mark)
    return mark


def _put(root: Path, mark: RootMark) -> None:
    """All of it or nothing, also while another host does the same."""
    new = root / f"{DRAFT}-{uuid.uuid4().hex}"
    try:
        _write(new, mark)
        new.rename(root / MARKER)
    finally:
        new.unlink(missing_ok=True)


def _write(path: Path, mark: RootMark) -> None:
    content = mark.model_dump(mode="json", exclude_none=True) | {"note": NOTE}
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(content, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _writable(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in DEAD:
            raise unread(root, error) from error
        raise Fatal(
            "The marker {marker} cannot be written into {root} ({reason}).",
            hint="Give this user the right to write into the watched folder, at least this once.",
            code="scan.root_readonly",
            marker=MARKER,
            root=root,
            reason=error.strerror,
        ) from error


def is_marked(root: Path) -> bool:
    """Has the folder its marker? Retry "scan.unread" when its volume gives an error."""
    return _is(root / MARKER, stat.S_ISREG)


def missing(what: str) -> Fatal:
    """The folder is not there, or its volume is not."""
    return Fatal(
        what,
        hint="Mount the volume or correct the path of the watched folder.",
        code="scan.root_missing",
    )


def unread(path: Path, error: OSError) -> Retry:
    """The volume gives an error, as a dead mount does."""
    return Retry(
        "{path} cannot be read ({reason}).",
        hint="Give PostFlow's user the right to read it, or mount its volume anew.",
        code="scan.unread",
        path=path,
        reason=error.strerror,
    )


def read_mark(root: Path) -> RootMark:
    """Read the marker, through to its content: a dead mount may still list it.

    AbsentError if it is missing, unreadable or damaged.
    """
    return _read(root / MARKER)


def _read(path: Path) -> RootMark:
    try:
        with path.open("rb") as file:
            found: dict[str, Any] = json.loads(file.read(LONGEST))
        return RootMark(id=found["id"], owner=found.get("owner"))
    except FileNotFoundError:
        raise AbsentError(N_("its marker {marker} is not there", marker=MARKER)) from None
    except OSError as error:
        raise AbsentError(
            N_("its marker cannot be read ({reason})", reason=error.strerror)
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise AbsentError(N_("its marker {marker} is damaged", marker=MARKER)) from error


def volume_error_or(root: Path, error: PostFlowError) -> PostFlowError:
    """Why a file in the folder could not be had: the error, or Retry `folder.away`. Blocking.

    A file that seems to be gone or changed while its volume is lost is only out of reach.
    """
    if error.code not in OUT_OF_REACH:
        return error
    try:
        read_mark(root)
    except AbsentError as absent:
        return Retry(
            "The watched folder {root} is not there: {why}.",
            hint="Mount its volume; its clips wait, and go on by themselves.",
            code="folder.away",
            root=root,
            why=absent.args[0],
        )
    return error


def demand_mark(root: Path, expected: RootMark | None) -> None:
    """AbsentError unless the marker is there, and is the expected one, of the same owner."""
    mark = read_mark(root)
    if expected is None:
        return
    if mark.id != expected.id:
        raise AbsentError(STRANGER)
    if mark.owner and expected.owner and mark.owner.ledger != expected.owner.ledger:
        raise AbsentError(TAKEN_OVER)


def too_many_vanished(vanished: int, known: int) -> bool:
    """More than 20 files and more than 30 % of all that are known."""
    return vanished > max(FEW, SHARE * known)


def _is(path: Path, kind: Callable[[int], bool]) -> bool:
    """Is it there, and of that kind? A dead mount says neither."""
    try:
        return kind(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise unread(path, error) from error
