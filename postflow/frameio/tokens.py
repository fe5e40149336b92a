"""An Adobe token pair, and where it is kept."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, ConfigDict, SecretStr, ValidationError

from postflow.errors import Fatal
from postflow.models import Moment


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


class Tokens(Moment):
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


class MemoryTokenStore:
    """Forgets with the process."""

    def __init__(self, tokens: Tokens | None = None) -> None:
        self._tokens = tokens

    async def load(self) -> Tokens | None:
        return self._tokens

    async def save(self, tokens: Tokens) -> None:
        self._tokens = tokens


class FileTokenStore:
    """A JSON file that only its owner can read, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def load(self) -> Tokens | None:
        """Raises `Fatal` where the file cannot be read or understood."""
        return await asyncio.to_thread(self._load)

    async def save(self, tokens: Tokens) -> None:
        await asyncio.to_thread(write_privately, self.path, json.dumps(tokens.reveal()))

    def _load(self) -> Tokens | None:
        try:
            return Tokens.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise Fatal(
                f"The token file {self.path} cannot be read.",
                hint="Delete it and run `postflow login`.",
                code="adobe.tokens_unreadable",
            ) from error


def write_privately(path: Path, text: str) -> None:
    """Put `text` at `path`, whole or not at all, readable by the owner only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
