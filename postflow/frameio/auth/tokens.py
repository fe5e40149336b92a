"""An Adobe token pair, where it is kept, and the journal of a pair not stored yet."""

from __future__ import annotations

import contextlib
import json
import logging
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, ValidationError

from postflow.models import FrozenModel
from postflow.state import write_private

logger = logging.getLogger(__name__)


def _one_word(secret: SecretStr) -> SecretStr:
    """A line break in a header value would make httpx quote the whole token in its error."""
    value = secret.get_secret_value().strip()
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("a token is one printable ASCII word")
    return SecretStr(value)


Token = Annotated[SecretStr, AfterValidator(_one_word)]


# Adobe says it in its guides only, never in an answer.
REFRESH_LIFE = timedelta(days=14)


def now() -> datetime:
    return datetime.now(UTC)


class Tokens(FrozenModel):
    """What Adobe issued. `scopes` is empty where Adobe did not say.

    `renewable_until`: when the refresh token dies, if it is not used before; None if unknown.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    access_token: Token
    refresh_token: Token | None = None
    expires_at: datetime
    renewable_until: datetime | None = None
    scopes: tuple[str, ...] = ()

    def lasts(self, margin: timedelta) -> bool:
        return now() + margin < self.expires_at

    @property
    def ends_at(self) -> datetime | None:
        """When a person has to sign in again, if nothing is renewed until then; None if unknown."""
        return self.renewable_until if self.refresh_token else self.expires_at

    @property
    def refresh_fingerprint(self) -> str:
        """Names the refresh token without giving it away."""
        refresh = self.refresh_token.get_secret_value() if self.refresh_token else ""
        return sha256(refresh.encode()).hexdigest()

    def reveal(self) -> dict[str, Any]:
        """Plain JSON values, secrets included; `Tokens.model_validate` reads them back."""
        plain = self.model_dump(mode="json")
        plain["access_token"] = self.access_token.get_secret_value()
        plain["refresh_token"] = self.refresh_token and self.refresh_token.get_secret_value()
        return plain


class TokenStore(Protocol):
    """Where a token pair outlives the process."""

    async def load(self) -> Tokens | None: ...

    async def save(self, tokens: Tokens) -> None: ...


class FileTokenStore:
    """A token pair in a file that only its owner can read (0600), replaced whole or not at all.

    The TokenSource that works with it holds a lock while it reads, renews and saves: processes
    that share the file give it the same `state_dir` and `name`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    async def load(self) -> Tokens | None:
        """None before the first sign-in."""
        return Tokens.model_validate_json(self.path.read_bytes()) if self.path.exists() else None

    async def save(self, tokens: Tokens) -> None:
        write_private(self.path, json.dumps(tokens.reveal()))


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
            write_private(self._path, text)
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
