"""Is a watch folder the volume that the studio has enrolled there?"""

from __future__ import annotations

import shlex
from pathlib import Path

from postflow.errors import Retry
from postflow.ledger import Ledger
from postflow.scan.root import STRANGER, AbsentError, missing, read_mark, restore_mark


def why_away(ledger: Ledger, studio: str, folder: Path) -> Retry | None:
    """None when it is there, or was never enrolled. Blocking."""
    if not ledger.marks_at(studio, folder):
        return None
    try:
        mark = read_mark(folder)
    except AbsentError as absent:
        return _away(studio, folder, str(absent))
    is_known = ledger.find_root(studio, mark.id) is not None
    return None if is_known else _away(studio, folder, STRANGER)


def restore(ledger: Ledger, studio: str, folder: Path) -> None:
    """A person's word that this is the right folder: it gets back the marker that it had.

    Raises Fatal `scan.root_missing` for one that was never watched, and as `restore_mark` does.
    """
    known = ledger.marks_at(studio, folder)
    if not known:
        raise missing(f"{folder} was never watched for studio {studio!r}.")
    restore_mark(folder, known[0])


def _away(studio: str, folder: Path, why: str) -> Retry:
    of_studio = "" if studio == "main" else f" --studio {shlex.quote(studio)}"
    return Retry(
        f"The watched folder {folder} is not there: {why}.",
        hint="Mount its volume; it goes on by itself. If this is the right folder all the same: "
        f"postflow scan --restore-marker {shlex.quote(str(folder))}{of_studio}",
        code="folder.away",
    )
