"""Adobe tokens for tests: a store of them, and one that is never renewed."""

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


class FixedToken:
    """What a client signs in with; it stays the same, whatever Frame.io says of it."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self, rejected: str | None = None) -> str:
        return self._token

    async def aclose(self) -> None:
        pass
