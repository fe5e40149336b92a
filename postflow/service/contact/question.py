"""What a question is, and what its answer means. Their words are in questions.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter

from postflow.models import FrozenModel

Seconds = Annotated[float, Field(ge=0, le=3600)]
Count = Annotated[int, Field(ge=0, le=10**12)]
Programs = Annotated[
    str, Field(pattern=r"^([A-Za-z][A-Za-z._-]{0,31}(/\d[\d.]{0,15})?( |$)){0,3}$")
]
NUMBERS = {"seconds": Seconds, "count": Count, "programs": Programs}
WORDS: dict[str, dict[Any, str]] = {
    "yes or no": {True: "yes", False: "no"},
    "twins": {
        "allow": "both have it",
        "refuse": "the second is refused",
        "rename": "it gets a number",
    },
}


def _settings(table: Any) -> Any:
    """TOML's keys are text; an answer may be yes or no, or a number."""
    if not isinstance(table, Mapping):
        return WORDS.get(table, table)
    other = {"true": True, "false": False}
    return {other.get(key, int(key) if key.isdigit() else key): table[key] for key in table}


Words = Annotated[dict[Any, str], BeforeValidator(_settings)]


class Question(FrozenModel):
    """`answers` are words for each possible answer, or what kind of number or text it is.

    `assumed` is an answer, or `at_least` the least number that we can do with. What PostFlow does
    where the answer is another one is in `otherwise`; what it cannot do, in `unhandled`.
    """

    key: str
    asks: str
    answers: Annotated[dict[Any, str] | str, BeforeValidator(_settings)]
    assumed: Any = None
    otherwise: Words = Field(default_factory=dict)
    unhandled: Words = Field(default_factory=dict)
    at_least: float | None = None
    below: str | None = None

    @property
    def allowed(self) -> TypeAdapter[Any]:
        """What may be told of it, and nothing else."""
        if isinstance(self.answers, str):
            return TypeAdapter(NUMBERS[self.answers])
        return TypeAdapter(Annotated[Any, AfterValidator(self._one_of)])

    def _one_of(self, answer: Any) -> Any:
        if any(answer == each and type(answer) is type(each) for each in self.answers):
            return answer
        raise ValueError("no answer that is known")

    def says(self, answer: Any) -> str:
        if not isinstance(self.answers, str):
            return self.answers[answer]
        if self.answers == "seconds":
            return f"{answer:.1f} s"
        return f"{answer:,}" if isinstance(answer, int) else str(answer) or "nothing"

    def consequence(self, answer: Any) -> str | None:
        """None where all is as assumed, or nothing is."""
        if self.at_least is not None:
            return self.below if answer < self.at_least else None
        return {**self.otherwise, **self.unhandled}.get(answer)


def _read() -> tuple[Question, ...]:
    tables = tomllib.loads(Path(__file__).with_name("questions.toml").read_text(encoding="utf-8"))
    return tuple(Question(key=key, **table) for key, table in tables.items())


QUESTIONS = _read()
