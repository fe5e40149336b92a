"""What the shell completes: studios and names of clips.

Without Prefect and the ledger's engine, which take longer to import than anybody waits after TAB.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import typer

from postflow.errors import PostFlowError
from postflow.state import meant_studio, remembered_studio, remembered_studios, state_dir

AT_MOST = 100
# The latest first: they are what is asked for.
NAMES = """
    SELECT relpath FROM clips WHERE studio = :studio AND instr(relpath, :begun) = 1
    UNION SELECT name FROM clips WHERE studio = :studio AND instr(name, :begun) = 1
    UNION SELECT relpath FROM observations JOIN roots ON roots.id = root_id
        WHERE studio = :studio AND instr(relpath, :begun) = 1 AND gone_at IS NULL
    LIMIT :at_most
"""


def studios(incomplete: str) -> list[str]:
    """The studios that this machine has used."""
    try:
        return [each for each in remembered_studios() if each.startswith(incomplete)]
    except PostFlowError:
        return []


def clips(ctx: typer.Context, incomplete: str) -> list[str]:
    """The clips of the studio's ledger, where that is a file."""
    try:
        studio = str(ctx.params.get("studio") or meant_studio(remembered_studios()))
        facts = remembered_studio(studio) or {}
        ledger = Path(facts["ledger"] or state_dir() / "ledger.db").expanduser()
        with closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True, timeout=0.5)) as known:
            asked = {"studio": studio, "begun": incomplete, "at_most": AT_MOST}
            return [name for (name,) in known.execute(NAMES, asked)]
    except (PostFlowError, KeyError, ValueError, sqlite3.Error):
        return []
