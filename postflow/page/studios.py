"""A studio as the page knows it, and its ledger, opened when somebody first looks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar

from pydantic import SecretStr

from postflow.errors import PostFlowError
from postflow.language import Language
from postflow.ledger import AsyncLedger, Ledger, open_ledger
from postflow.models import Shot
from postflow.naming import Naming
from postflow.stop import in_background

P = ParamSpec("P")
T = TypeVar("T")

Deliver = Callable[[Path, str | None, str | None], Awaitable[None]]
"""Has the studio's runner deliver a path, with a sequence and a shot given by hand."""
Look = Callable[[], Awaitable[Sequence[PostFlowError]]]
"""What is in the way of all clips of the studio, as a folder that is away."""
# Seconds between two looks for that.
LOOK_AGAIN = 60.0
# Names that are remembered, with what they mean.
REMEMBERED = 20_000


@dataclass
class PageStudio:
    """Live: in an `async with` it knows what is `in_the_way`; its end closes the ledger."""

    name: str
    project: str
    naming: Naming
    where: SecretStr | str | Path | None
    announces: bool
    language: Language
    deliver: Deliver
    look: Look
    in_the_way: Sequence[PostFlowError] = ()
    _opened: AsyncExitStack = field(default_factory=AsyncExitStack)
    _ledger: AsyncLedger | None = None
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __aenter__(self) -> Self:
        looking = in_background(self._keep_looking(), "what is in the way")
        await self._opened.enter_async_context(looking)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    async def _keep_looking(self) -> None:
        """Beside all requests: a volume that hangs holds up none."""
        while True:
            try:
                self.in_the_way = await self.look()
            except PostFlowError as error:
                self.in_the_way = [error]
            await asyncio.sleep(LOOK_AGAIN)

    async def read(
        self, call: Callable[Concatenate[Ledger, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """In the ledger's thread, for what only reads and for what writes. Raises as it does."""
        async with self._opening:
            if self._ledger is None:
                opening = open_ledger(self.where)
                self._ledger = await self._opened.enter_async_context(opening)
        return await self._ledger.run(call, *args, **kwargs)

    @cached_property
    def shot_of(self) -> Callable[[str], Shot | None]:
        """What a name means; None where no rule reads it."""

        @lru_cache(REMEMBERED)
        def identified(name: str) -> Shot | None:
            try:
                return self.naming.identify(name)
            except PostFlowError:
                return None

        return identified

    def place_of(self, relpath: str, name: str, folder: str | None = None) -> str:
        """The folder of the clip's sequence in Frame.io; of a name that says none, that of the
        clip there, or else the one on disk.
        """
        shot = self.shot_of(name)
        if shot is None:
            return folder or relpath.rpartition("/")[0]
        parts = folder.split("/") if folder else list(shot.folder)
        depth = len(self.naming.folder_for(shot, "sequence"))
        return "/".join(parts[:depth] or parts)
