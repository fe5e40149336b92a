"""Results of a scan: the files seen, and why a folder could not be scanned."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from pydantic import SkipValidation

from postflow.language import N_
from postflow.models import FrozenModel


class Sighting(FrozenModel):
    """A file as a scan saw it. `relpath` is POSIX, NFC and relative to the root: the file's key.

    `path` is the name as the disk has it; size in bytes, mtime in nanoseconds since 1970.
    """

    relpath: str
    path: Path
    size: int
    mtime_ns: int


class Problem(FrozenModel):
    """Something in the folder that a person should know. `where` is safe to print.

    `unread`: a part of the folder could not be looked at, so the scan draws no conclusion about
    what is missing.
    """

    where: str
    what: SkipValidation[str]
    unread: bool = False


def is_partial(problems: Iterable[Problem]) -> bool:
    """Could some part of the folder not be looked at?"""
    return any(problem.unread for problem in problems)


class Scanned(FrozenModel):
    """A scan that came to its end. `gone` is empty whenever some part could not be read.

    `new` and `changed` against the scan before; `unsettled` are all others that were not put to
    rest yet. `known` counts the files under the root that are not ignored.
    """

    new: tuple[Sighting, ...]
    changed: tuple[Sighting, ...]
    unsettled: tuple[Sighting, ...]
    gone: tuple[str, ...]
    problems: tuple[Problem, ...]
    known: int
    full: bool

    @property
    def seen(self) -> tuple[Sighting, ...]:
        """All files that may still change, each once."""
        return tuple(chain(self.new, self.changed, self.unsettled))


class Offline(FrozenModel):
    """The volume is not there, or was not there at the end. Nothing follows for its files."""

    reason: SkipValidation[str]


class Abandoned(FrozenModel):
    """Too many known files vanished at once to believe it. Nothing follows for any file."""

    vanished: int
    known: int
    examples: tuple[str, ...]

    @property
    def reason(self) -> str:
        return N_(
            "{vanished:,} of {known:,} known files vanished at once",
            vanished=self.vanished,
            known=self.known,
        )


ScanResult = Scanned | Offline | Abandoned
