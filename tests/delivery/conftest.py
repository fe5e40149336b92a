"""A world whose rate windows are short, and a ledger in memory."""

from __future__ import annotations

from tests.frameio.conftest import source_url, world
from tests.ledger.conftest import quick_folder

__all__ = ["quick_folder", "source_url", "world"]
