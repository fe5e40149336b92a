"""A store of Adobe tokens for tests."""

from __future__ import annotations

from postflow.frameio import Tokens


class MemoryTokenStore:
    """Forgets with the process."""

    def __init__(self, tokens: Tokens | None = None) -> None:
        self._tokens = tokens

    async def load(self) -> Tokens | None:
        return self._tokens

    async def save(self, tokens: Tokens) -> None:
        self._tokens = tokens
