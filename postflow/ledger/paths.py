"""How a path is spelled in the ledger."""

from __future__ import annotations

import unicodedata


def normal(path: str) -> str:
    """NFC, as the scans key their files and as Frame.io names them."""
    return unicodedata.normalize("NFC", path)
