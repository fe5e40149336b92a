"""A person's word that files which vanished all at once are really gone."""

from __future__ import annotations

import shlex
from pathlib import Path

from postflow.media.ignore import SHIPPED_ONLY, Ignoring
from postflow.media.sighting import Abandoned, Scanned
from postflow.scan.root import AbsentError, missing, read_mark
from postflow.scan.walk import Scanner

from .enrolment import enrolled
from .errors import Retry
from .ledger import Ledger


def vanished(studio: str, folder: Path, scan: Abandoned) -> str:
    """What a person should know of it, and can do."""
    of_studio = "" if studio == "main" else f" --studio {shlex.quote(studio)}"
    return (
        f"{scan.reason} from {folder} ({', '.join(scan.examples)}, …). Nothing is concluded until "
        "they are back. If they are really gone: "
        f"postflow scan --accept-vanished {shlex.quote(str(folder))}{of_studio}"
    )


def accept_vanished(
    ledger: Ledger, studio: str, folder: Path, ignoring: Ignoring = SHIPPED_ONLY
) -> tuple[str, ...]:
    """Enter as gone what is missing in a folder now; their relpaths. What vanishes later is not.

    Whoever watches the folder reads it in the ledger. Raises Fatal `scan.root_missing`, and
    Retry `scan.unread` when some part of the folder cannot be looked at, and as `enrolled` does.
    """
    try:
        mark = read_mark(folder)
    except AbsentError as error:
        raise missing(f"{folder}: {error}.") from error
    root = enrolled(ledger, studio, folder, mark)
    scanner = Scanner(folder, mark=mark, known=ledger.known(root), ignoring=ignoring)
    result = scanner.scan(believe=True)
    if not isinstance(result, Scanned):
        raise missing(result.reason)
    if result.partial:
        where = ", ".join(each.where for each in result.problems if each.unread)
        raise Retry(
            f"A part of {folder} cannot be read, so nothing is taken for gone: {where}.",
            hint="Mend its access rights or its mount, then say it again.",
            code="scan.unread",
        )
    ledger.observe(root, (), gone=result.gone)
    return result.gone
