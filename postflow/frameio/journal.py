"""A renewed token pair on local disk, until the store proper has it."""

from __future__ import annotations

import contextlib
import json
import logging
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from .tokens import Tokens, write_privately

logger = logging.getLogger(__name__)


class _Entry(BaseModel):
    """`replaces` names the refresh token the store held: a later sign-in is never undone."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    replaces: str
    tokens: Tokens


class Journal:
    """Holds at most one pair: in memory at once, and in a file only its owner can read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entry: _Entry | None = None
        self.on_disk = False

    def write(self, tokens: Tokens, *, stored: Tokens | None) -> None:
        """Blocks for the few milliseconds of an fsync, on purpose: no await may come between."""
        self._entry = _Entry(replaces=_name_of(stored), tokens=tokens)
        text = json.dumps({"replaces": self._entry.replaces, "tokens": tokens.reveal()})
        try:
            write_privately(self._path, text)
        except OSError as error:
            self.on_disk = False
            logger.warning(
                "The renewed Adobe tokens could not be noted on disk: %s", error.strerror
            )
        else:
            self.on_disk = True

    def newer_than(self, stored: Tokens | None) -> Tokens | None:
        """The pair that replaces what the store holds, if there is one."""
        entries = [self._entry, self._read()]
        pairs = [e.tokens for e in entries if e and e.replaces == _name_of(stored)]
        return max(pairs, key=lambda tokens: tokens.expires_at, default=None)

    def clear(self) -> None:
        self._entry = None
        self.on_disk = False
        with contextlib.suppress(OSError):  # a leftover is harmless: it replaces nothing stored
            self._path.unlink()

    def _read(self) -> _Entry | None:
        try:
            entry = _Entry.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            logger.warning("The noted Adobe tokens are unreadable (%s).", type(error).__name__)
            return None
        self.on_disk = True
        return entry


def _name_of(stored: Tokens | None) -> str:
    return stored.refresh_fingerprint if stored else ""
