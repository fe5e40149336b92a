"""What PostFlow makes of a name, told to its author."""

from __future__ import annotations

from postflow.models import Moment, Shot


class RuleAnswer(Moment):
    """What one rule says: that the name fits, or which field does not and why."""

    rule: str
    matched: bool
    field: str | None = None
    reason: str
    example: str


class Explanation(Moment):
    """What a name means, or what is wrong with it and what would be right."""

    name: str
    shot: Shot | None = None
    code: str | None = None
    problem: str | None = None
    hint: str | None = None
    nearest: str | None = None
    answers: tuple[RuleAnswer, ...] = ()
