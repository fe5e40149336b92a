"""One directory, as it is now. Names in it are hostile until shown otherwise."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from postflow.language import N_
from postflow.media.ignore import Ignoring
from postflow.media.sighting import Problem
from postflow.media.volume import mtime_of, same_mtime
from postflow.models import nfc

from .root import MARKER

UNDECODABLE = N_("Its name is not valid UTF-8. Rename it so that it can travel.")
NO_FILE = "it is a link, a pipe, a socket or a device, not a file"
TWIN = N_(
    "Another name here differs from it only in how accents are stored. Rename one of the two."
)


class Known(NamedTuple):
    """A file by its observable facts; `name` is the one on disk, which need not be NFC."""

    size: int
    mtime_ns: int
    name: str

    def equals(self, other: Known) -> bool:
        return self.size == other.size and same_mtime(self.mtime_ns, other.mtime_ns)


@dataclass(slots=True)
class Listing:
    """Files and folders by their NFC names. `torn` vanished between being listed and looked at.

    `passed_over`: by which rule, by name; those of folders end in a slash.
    """

    files: dict[str, Known] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    torn: set[str] = field(default_factory=set)
    passed_over: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    marked: bool = False


def list_folder(path: str, rel: str, ignoring: Ignoring) -> Listing:
    """List a directory, following no symbolic link in it. Raises OSError if it cannot be read."""
    listing = Listing()
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name == MARKER:
                listing.marked = True
            elif not (
                ignoring.may_pass_over(entry.name) and _passes(listing, entry, rel, ignoring)
            ):
                _take_in(listing, entry)
    return listing


def known_file(path: str) -> Known | None:
    """A single regular file, or None for anything else. Raises OSError."""
    found = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - a hot path
    return _known(found, path.rpartition("/")[2])


def as_text(path: str) -> str:
    """A path as text that can be printed and stored, whatever bytes it has."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _passes(listing: Listing, entry: os.DirEntry[str], rel: str, ignoring: Ignoring) -> bool:
    """Over this entry, by a rule that is noted."""
    key = as_text(entry.name)
    with suppress(OSError):
        is_folder = entry.is_dir(follow_symlinks=False)
        rule = ignoring.why(f"{rel}/{key}" if rel else key, key, is_folder=is_folder)
        if rule is not None:
            listing.passed_over[f"{key}/" if is_folder else key] = rule
            return True
    return False


def _take_in(listing: Listing, entry: os.DirEntry[str]) -> None:
    key = nfc(entry.name)
    if not _is_text(key):
        listing.problems.append(Problem(where=as_text(entry.path), what=UNDECODABLE))
        return
    if key in listing.files or key in listing.folders:
        listing.problems.append(Problem(where=as_text(entry.path), what=TWIN))
        if entry.name != key:
            return
    try:
        _take_in_by_kind(listing, entry, key)
    except FileNotFoundError:
        listing.torn.add(key)
    except OSError as error:
        problem = Problem(where=as_text(entry.path), what=_cannot_read(error), unread=True)
        listing.problems.append(problem)


def _take_in_by_kind(listing: Listing, entry: os.DirEntry[str], key: str) -> None:
    if entry.is_dir(follow_symlinks=False):
        listing.folders[key] = entry.name
        return
    known = _known(entry.stat(follow_symlinks=False), entry.name)
    if known is not None:
        listing.files[key] = known
    else:
        listing.passed_over[key] = NO_FILE


def _known(found: os.stat_result, name: str) -> Known | None:
    if not stat.S_ISREG(found.st_mode):
        return None
    return Known(found.st_size, mtime_of(found), name)


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _cannot_read(error: OSError) -> str:
    return N_("It cannot be read ({reason}).", reason=error.strerror)


def unread(path: str, error: OSError) -> Problem:
    """The problem of a folder that cannot be read."""
    return Problem(where=as_text(path), what=_cannot_read(error), unread=True)
