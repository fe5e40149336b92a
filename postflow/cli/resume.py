"""What a person has mended just now: the clips that waited for it go on at once."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from postflow.discord.cards import counted
from postflow.errors import PostFlowError
from postflow.ledger import Ledger
from postflow.service.console import out

if TYPE_CHECKING:
    from postflow.blocks.studio import Studio


def resume(block: Studio, studio: str) -> None:
    """A ledger that is away costs no more than that they wait some minutes longer."""
    with suppress(PostFlowError), Ledger.open(block.ledger) as ledger:
        if many := ledger.mended(studio):
            out.print(f"  {counted(many, 'clip')} that waited for this: tried again now.")
