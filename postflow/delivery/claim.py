"""The claim that a run has on a clip, and how it writes to the ledger by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from postflow.ledger import AsyncLedger, Claimed, Ledger

P = ParamSpec("P")
T = TypeVar("T")


class HeldClaim:
    """A claim, kept current. Where there is none, or no more, nothing is written."""

    def __init__(self, ledger: AsyncLedger, claim: Claimed | None) -> None:
        self.ledger = ledger
        self.claim = claim

    async def write(
        self,
        call: Callable[Concatenate[Ledger, Claimed, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T | None:
        """What the ledger answers of the claim."""
        if self.claim is None:
            return None
        return await self.ledger.run(call, self.claim, *args, **kwargs)

    async def advance(
        self,
        call: Callable[Concatenate[Ledger, Claimed, P], Claimed],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """As `write`, for calls that return the claim as it is afterwards."""
        self.claim = await self.write(call, *args, **kwargs)
