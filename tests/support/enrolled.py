"""Watch folders about which a person has spoken."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from postflow.folder.enrolment import enrol
from postflow.ledger import Ledger


def enrolled(
    *folders: Path, studio: str = "main", ledger: str | SecretStr | Path | None = None
) -> None:
    """All that is in them is to be delivered."""
    with Ledger.open(ledger) as opened:
        for folder in folders:
            enrol(opened, studio, folder)
