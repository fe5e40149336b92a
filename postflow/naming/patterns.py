"""A person's regular expressions, compiled, and run for a bounded time on hostile names."""

from __future__ import annotations

import regex

from postflow.errors import Fatal, Skip

from .filename import shown
from .rules import NameRule, broken

# CPU seconds of this process: a busy machine makes no pattern slow. 1 ms is much for a usual one.
LONGEST_MATCH = 0.25

Values = dict[str, str]


class Pattern:
    """An expression that a whole text fits or not."""

    def __init__(self, expression: str, rule: NameRule, what: str = "regex") -> None:
        """Raises Fatal `naming.rules` for what is no regular expression in ASCII."""
        flags = regex.ASCII if rule.case_sensitive else regex.ASCII | regex.IGNORECASE
        self.rule = rule.name
        if not expression.isascii():
            raise unsafe(rule, f"the {what} holds characters outside ASCII")
        try:
            self._compiled = regex.compile(expression, flags)
        except (regex.error, RecursionError, OverflowError) as error:
            raise unsafe(rule, f"the {what} is not a regular expression: {error}") from error
        self.groups: int = self._compiled.groups
        self.names = frozenset[str](self._compiled.groupindex)

    def fit(self, text: str) -> Values | None:
        """The named groups, or None. Raises Skip `name.slow` when that takes too long."""
        try:
            found = self._compiled.fullmatch(text, timeout=LONGEST_MATCH)
        except TimeoutError as error:
            raise Skip(
                f"The naming rule “{self.rule}” takes too long to read {shown(text)}.",
                hint="Write the rule's patterns without a repeat inside a repeat and without "
                "choices that overlap, or rename the file.",
                code="name.slow",
            ) from error
        return found.groupdict("") if found else None


def field_pattern(field: str, expression: str, rule: NameRule) -> Pattern:
    """Raises Fatal `naming.rules` for one that holds groups or fits an empty text."""
    what = f"pattern of “{field}” ({expression})"
    pattern = Pattern(expression, rule, what)
    if pattern.groups:
        raise unsafe(rule, f"the {what} holds a capturing group; write (?:…)")
    if pattern.fit("") is not None:
        raise unsafe(rule, f"the {what} may be empty")
    return pattern


def unsafe(rule: NameRule, problem: str) -> Fatal:
    return broken(rule.name, problem, r"Write ASCII patterns such as SQ\d{2} or [A-Z]{2,8}.")
