"""A watched folder's marker, put there without a ledger."""

from __future__ import annotations

from pathlib import Path

from postflow.folder.root import Owner, RootMark, marking


def mark_root(root: Path, owner: Owner | None = None) -> RootMark:
    with marking(root, owner) as mark:
        return mark
