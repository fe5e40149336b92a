"""Stores of Adobe tokens that need no Prefect."""

from __future__ import annotations

import json
from pathlib import Path

from postflow.frameio import Tokens
from postflow.state import write_private


class MemoryTokenStore:
    """Forgets with the process."""

    def __init__(self, tokens: Tokens | None = None) -> None:
        self._tokens = tokens

    async def load(self) -> Tokens | None:
        return self._tokens

    async def save(self, tokens: Tokens) -> None:
        self._tokens = tokens


class FileTokenStore:
    """Shared by processes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def load(self) -> Tokens | None:
        return Tokens.model_validate_json(self.path.read_bytes()) if self.path.exists() else None

    async def save(self, tokens: Tokens) -> None:
        write_private(self.path, json.dumps(tokens.reveal()))
