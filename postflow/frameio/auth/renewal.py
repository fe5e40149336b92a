"""Access tokens that are always good: renewed in time, by one at a time, and never lost."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from postflow.errors import Fatal, PostFlowError
from postflow.locks import one_at_a_time

from .errors import NOT_RENEWABLE, NOT_SIGNED_IN, TOKENS_NOT_SAVED, TOKENS_UNAVAILABLE
from .ims import AdobeIms, Credential
from .tokens import Journal, Tokens, TokenStore

logger = logging.getLogger(__name__)

MARGIN = timedelta(minutes=5)
_SAVE_AGAIN_SECONDS = 30.0


class TokenSupply(Protocol):
    """What the client needs of a token source."""

    async def token(self, rejected: str | None = None) -> str: ...

    async def aclose(self) -> None: ...


class TokenSource:
    """The access token of one Adobe sign-in.

    Adobe spends the refresh token at each use. So: one renewal at a time, across tasks and across
    the processes that share `state_dir` and `name`; look into the store first, since another may
    have renewed; and the new pair is on disk before anybody uses it.
    """

    def __init__(
        self,
        credential: Credential,
        store: TokenStore,
        ims: AdobeIms,
        *,
        state_dir: Path,
        name: str = "adobe",
        margin: timedelta = MARGIN,
        grace: float = 2.0,
    ) -> None:
        self.credential = credential
        self.ims = ims
        self._store = store
        self._margin = margin
        self._grace = grace
        self._save_again_at: float | None = None
        self._state_dir = state_dir
        self._name = name
        self._journal = Journal(state_dir / f"{name}.tokens.renewed")
        self._tokens: Tokens | None = None
        self._renewal: asyncio.Task[Tokens] | None = None

    async def token(self, rejected: str | None = None) -> str:
        """An access token good for some minutes at least, and not the one Frame.io `rejected`.

        Raises `Fatal` where somebody has to sign in again, `Retry` where Adobe cannot be reached.
        """
        tokens = self._tokens
        if tokens is None or self._save_is_due() or not self._good(tokens, rejected):
            tokens = await self._shared_renewal(rejected)
        if tokens.access_token.get_secret_value() == rejected:  # joined one begun before
            tokens = await self._shared_renewal(rejected)
        return tokens.access_token.get_secret_value()

    async def known(self) -> Tokens | None:
        """The newest pair that is known here, good or not; nothing is renewed."""
        stored = await self._load()
        return self._journal.newer_than(stored) or stored

    async def adopt(self, tokens: Tokens) -> None:
        """Keep the tokens of a fresh sign-in."""
        async with self._alone():
            await self._store.save(tokens)
            self._journal.clear()
            self._tokens = tokens

    async def aclose(self) -> None:
        """Let a renewal under way end: stopped half-way, the new pair would be lost."""
        if self._renewal is not None and not self._renewal.done():
            await asyncio.wait([self._renewal])

    def _good(self, tokens: Tokens, rejected: str | None) -> bool:
        return tokens.lasts(self._margin) and tokens.access_token.get_secret_value() != rejected

    def _save_is_due(self) -> bool:
        return self._save_again_at is not None and time.monotonic() >= self._save_again_at

    async def _shared_renewal(self, rejected: str | None) -> Tokens:
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._obtain(rejected), name="adobe-tokens")
            self._renewal.add_done_callback(_retrieve)
        # One caller's cancellation must not cut a renewal that others wait for.
        return await asyncio.shield(self._renewal)

    async def _obtain(self, rejected: str | None) -> Tokens:
        async with self._alone():
            stored = await self._load()
            renewed = self._journal.newer_than(stored)
            if renewed is not None:
                await self._save(renewed)
            tokens = renewed or stored
            if tokens is None or not self._good(tokens, rejected):
                tokens = await self._renew(tokens, stored)
            self._tokens = tokens
            return tokens

    def _alone(self) -> AbstractAsyncContextManager[None]:
        return one_at_a_time("adobe-tokens", self._name, folder=self._state_dir)

    async def _renew(self, tokens: Tokens | None, stored: Tokens | None) -> Tokens:
        try:
            fresh = await self._grant(tokens)
        except Fatal as refused:
            return await self._renewed_elsewhere(tokens, refused)
        # No await between Adobe's answer and this line.
        self._journal.write(fresh, stored=stored)
        logger.info(
            "The Adobe sign-in was renewed; it is good until %s.",
            fresh.expires_at.strftime("%Y-%m-%d %H:%M UTC"),
        )
        await self._save(fresh)
        return fresh

    async def _grant(self, tokens: Tokens | None) -> Tokens:
        if self.credential.is_service:
            return await self.ims.client_credentials(self.credential)
        if tokens is None or tokens.refresh_token is None:
            raise NOT_SIGNED_IN() if tokens is None else NOT_RENEWABLE()
        fresh = await self.ims.refresh(self.credential, tokens.refresh_token.get_secret_value())
        kept: dict[str, object] = {"scopes": fresh.scopes or tokens.scopes}
        if fresh.refresh_token is None:
            kept["refresh_token"] = tokens.refresh_token
            kept["renewable_until"] = tokens.renewable_until
        return fresh.model_copy(update=kept)

    async def _renewed_elsewhere(self, tokens: Tokens | None, refused: Fatal) -> Tokens:
        """Another host may have spent our refresh token, and be about to save the new one."""
        if refused.code != "adobe.signed_out" or tokens is None:
            raise refused
        for pause in (0.0, self._grace):
            await asyncio.sleep(pause)
            stored = await self._load()
            if stored and stored.refresh_fingerprint != tokens.refresh_fingerprint:
                good = stored.lasts(self._margin)
                return stored if good else await self._renew(stored, stored)
        raise refused

    async def _load(self) -> Tokens | None:
        try:
            return await self._store.load()
        except PostFlowError:
            raise
        except Exception as error:
            raise TOKENS_UNAVAILABLE(kind=type(error).__name__) from error

    async def _save(self, tokens: Tokens) -> None:
        try:
            await self._store.save(tokens)
        except Exception as error:  # whatever a store raises, the pair must not be lost
            self._save_again_at = time.monotonic() + _SAVE_AGAIN_SECONDS
            if not self._journal.on_disk:
                raise TOKENS_NOT_SAVED(kind=type(error).__name__) from error
            logger.warning(
                "The renewed Adobe tokens could not be stored (%s). "
                "They are safe on this machine, and storing is tried again.",
                type(error).__name__,
            )
        else:
            self._save_again_at = None
            self._journal.clear()


def _retrieve(renewal: asyncio.Task[Tokens]) -> None:
    """Keeps asyncio quiet where every caller has gone away meanwhile."""
    if not renewal.cancelled():
        renewal.exception()
