"""Alarms of watched folders: each is told once while it lasts, and so is its end."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from postflow.readiness.waiting import Waiting

from .lookout import Looked, Trouble

TITLES: Mapping[Trouble, str] = {
    "offline": "A watched folder is lost",
    "vanished": "Many files have vanished",
    "late": "A watched folder hangs",
    "ledger": "The ledger does not answer",
    "fault": "A watched folder cannot be looked at",
    "taken": "A watch folder belongs to another PostFlow",
    "not enrolled": "A watch folder is not enrolled yet",
}


class Alarms:
    """Which alarms are on, by folder."""

    def __init__(self) -> None:
        self._told: dict[Path, set[Trouble]] = {}

    def begins(self, looked: Looked) -> bool:
        """Whether this trouble has not been told since the folder was last in order."""
        if looked.trouble is None:
            return False
        told = self._told.setdefault(looked.folder, set())
        is_new = looked.trouble not in told
        told.add(looked.trouble)
        return is_new

    def ends(self, looked: Looked) -> bool:
        """Whether the folder was in trouble, and is in order again."""
        return looked.trouble is None and bool(self._told.pop(looked.folder, None))


def overdue(folder: Path, clip: Waiting) -> str:
    """What a person should know of a clip that does not become ready, and can do."""
    told = f"{clip.relpath} {clip.reason}, and has been waited for {clip.waited / 60:.0f} min."
    if not clip.refused:
        return told
    by_hand = f"postflow upload {shlex.quote(str(folder / clip.relpath))}"
    return f"{told} Export it again; should it be finished as it is: {by_hand}"
