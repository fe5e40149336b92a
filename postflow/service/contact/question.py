"""What a question is, and what its answer means."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, Field, TypeAdapter

from .visit import Visit

Ask = Callable[[Visit], Awaitable[object]]
Seconds = Annotated[float, Field(ge=0, le=3600)]
Count = Annotated[int, Field(ge=0, le=10**12)]
Programs = Annotated[
    str, Field(pattern=r"^([A-Za-z][A-Za-z._-]{0,31}(/\d[\d.]{0,15})?( |$)){0,3}$")
]


@dataclass(frozen=True)
class Consequence:
    """What an answer means for PostFlow that is not as assumed."""

    words: str
    handled: bool = True


def handled(words: str) -> Consequence:
    return Consequence(words)


def to_report(words: str) -> Consequence:
    return Consequence(words, handled=False)


@dataclass(frozen=True)
class Question:
    """`answers` are words for each possible answer, or what kind of number it is.

    `assumed` is an answer, or the least number that we can do with; None where we need nothing.
    """

    key: str
    asks: str
    answers: Mapping[Any, str] | Any
    ask: Ask
    assumed: Any = None
    otherwise: Mapping[Any, Consequence] = field(default_factory=dict)
    at_least: Any = None
    below: Consequence | None = None

    @property
    def allowed(self) -> TypeAdapter[Any]:
        """What may be told of it, and nothing else."""
        if isinstance(self.answers, Mapping):
            return TypeAdapter(Annotated[Any, AfterValidator(self._one_of)])
        return TypeAdapter(self.answers)

    def _one_of(self, answer: Any) -> Any:
        if any(answer == each and type(answer) is type(each) for each in self.answers):
            return answer
        raise ValueError("no answer that is known")

    def says(self, answer: Any) -> str:
        if isinstance(self.answers, Mapping):
            return str(self.answers[answer])
        if self.answers is Seconds:
            return f"{answer:.1f} s"
        return f"{answer:,}" if isinstance(answer, int) else str(answer) or "nothing"

    def consequence(self, answer: Any) -> Consequence | None:
        """None where all is as assumed, or nothing is."""
        if self.at_least is not None:
            return self.below if answer < self.at_least else None
        return self.otherwise.get(answer)
