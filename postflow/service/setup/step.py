"""One question of the set-up, or a few that belong together, and what they work with."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from postflow.language import told
from postflow.service.console import out

from .draft import Draft
from .prompts import Prompts

T = TypeVar("T")


class Run(Protocol):
    """Runs a coroutine to its end; a signal cancels it."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T: ...


@dataclass
class Desk:
    draft: Draft
    ask: Prompts
    run: Run
    # Without a browser of this machine, or after it was waited for in vain.
    by_paste: bool = False

    def explain(self, text: str) -> None:
        for line in told(text).splitlines():
            out.print(f"  {line}".rstrip(), markup=False)

    def proven(self, text: str) -> None:
        out.print("  [green]✓[/green] ", end="")
        out.print(told(text), markup=False)


@dataclass(frozen=True)
class Step:
    """`take` asks, proves and writes; it raises a PostFlowError where the proof fails, and is taken
    again. `said` is what was answered, for a person; None while nothing was.
    """

    title: str
    take: Callable[[Desk], None]
    said: Callable[[Draft], str | None]
