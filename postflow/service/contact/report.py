"""`contact.json`: answers of kinds that are known beforehand, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from postflow.errors import Fatal
from postflow.models import FrozenModel

from .question import QUESTIONS, Question
from .visit import Why

FORMAT = 1
Version = Field(pattern=r"^\d[\w.+-]{0,39}$")


class Entry(FrozenModel):
    """What came of one question: an answer, or why there is none."""

    asked: str
    answer: Any = None
    assumed: Any = None
    consequence: str | None = None
    handled: bool | None = None
    unanswered: Why | None = None
    status: int | None = Field(None, ge=100, le=599)
    seconds: float


class Versions(FrozenModel):
    """The versions of what was at work; None where there is none."""

    postflow: str = Version
    python: str = Version
    prefect: str = Version
    ngrok: str | None = Field(None, pattern=r"^\d+\.\d+\.\d+$")


class Report(FrozenModel):
    """The whole file."""

    contact: int = FORMAT
    versions: Versions
    seconds: float
    answers: dict[str, Entry]

    def text(self) -> str:
        told = self.model_dump(mode="json", exclude_none=True)
        return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def answered(question: Question, answer: object, seconds: float) -> Entry:
    """Raises ValidationError where the answer is of no kind that may be told."""
    told = question.allowed.validate_python(answer, strict=True)
    told = round(told, 2) if isinstance(told, float) else told
    consequence = question.consequence(told)
    return Entry(
        asked=question.asks,
        answer=told,
        assumed=question.at_least if question.assumed is None else question.assumed,
        consequence=consequence,
        handled=told not in question.unhandled if consequence else None,
        seconds=round(seconds, 1),
    )


class _File(FrozenModel):
    """As much of it as the sandbox needs, also of another PostFlow's."""

    model_config = ConfigDict(extra="ignore")

    contact: int
    answers: dict[str, dict[str, Any]]


def read_answers(path: Path) -> dict[str, Any]:
    """Answers by their questions' keys. Raises Fatal `contact.file`."""
    try:
        file = _File.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        why = error.strerror if isinstance(error, OSError) else "no report of `postflow contact`"
        raise _unreadable(path, why or "") from None
    known = {question.key: question for question in QUESTIONS}
    if unknown := sorted(file.answers.keys() - known):
        raise _unreadable(path, f"{unknown[0]} is no question of this PostFlow")
    told = {key: entry.get("answer") for key, entry in file.answers.items()}
    answers = {key: answer for key, answer in told.items() if answer is not None}
    for key, answer in answers.items():
        try:
            known[key].allowed.validate_python(answer)
        except ValidationError:
            raise _unreadable(path, f"{answer!r} is no answer to {key}") from None
    return answers


def _unreadable(path: Path, why: str) -> Fatal:
    return Fatal(
        f"{path} cannot be used: {why}.",
        hint="Give a file that `postflow contact` of this version has written.",
        code="contact.file",
    )
