"""A naming rule as a person writes it, and its expressions, run for a bounded time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from string import Formatter
from typing import Any, Literal, Self

import regex
from pydantic import Field, ValidationError, model_validator

from postflow.errors import Fatal, Skip, shown
from postflow.models import FrozenModel
from postflow.problems import problems

from .filename import safe_part

FIELD_NAME = r"^[a-z][a-z0-9_]{0,31}$"
MAX_RULES = 32
# CPU seconds of this process: a busy machine makes no pattern slow. 1 ms is much for a usual one.
LONGEST_MATCH = 0.25

Values = dict[str, str]


class NameRule(FrozenModel):
    """How one family of names reads, and where its files go.

    `template` names typed fields (`{sequence}_{shot}_{version}.{ext}`), `fields` holds an ASCII
    pattern for each; `regex` with named groups is the escape hatch. `folder` and `stack` are built
    from the fields.
    """

    name: str = Field(min_length=1, max_length=64)
    template: str | None = Field(default=None, max_length=200)
    regex: str | None = Field(default=None, max_length=500)
    fields: dict[str, str] = Field(default_factory=dict, max_length=16)
    folder: str = Field(min_length=1, max_length=500)
    stack: str = Field(min_length=1, max_length=200)
    examples: tuple[str, ...] = Field(min_length=1, max_length=32)
    case_sensitive: bool = True
    rank: int = Field(default=0, description="Of two rules that fit, the lower rank answers.")
    asks: tuple[Literal["sequence", "shot"], ...] = Field(
        default=(), description="Fields the name leaves out and a person gives by hand."
    )
    version_date: str | None = Field(
        default=None, description="How a version that is a date is written, such as DDMMYY."
    )
    titles: dict[str, str] = Field(
        default_factory=dict, description="Folder names of sequences that have one of their own."
    )

    @model_validator(mode="after")
    def _one_way_to_read(self) -> Self:
        if (self.template is None) == (self.regex is None):
            raise ValueError("a rule has either a template or a regex")
        return self


def broken(rule: str, problem: str, remedy: str) -> Fatal:
    """The one error of rules that cannot be used."""
    return Fatal(f"Naming rule “{rule}”: {problem}.", hint=remedy, code="naming.rules")


def read_rules(rules: Iterable[NameRule | Mapping[str, Any]]) -> tuple[NameRule, ...]:
    """Rules from TOML or JSON tables. Raises Fatal `naming.rules`."""
    read = tuple(_read(rule, number) for number, rule in enumerate(rules, start=1))
    if not 0 < len(read) <= MAX_RULES:
        raise broken(
            "all", f"there are {len(read)} of them", f"Write between 1 and {MAX_RULES} rules."
        )
    return read


def _read(rule: NameRule | Mapping[str, Any], number: int) -> NameRule:
    if isinstance(rule, NameRule):
        return rule
    try:
        return NameRule.model_validate(dict(rule))
    except ValidationError as error:
        raise broken(
            str(rule.get("name", f"number {number}")),
            problems(error, NameRule),
            f"Its keys are {', '.join(NameRule.model_fields)}.",
        ) from error


@dataclass(frozen=True)
class Piece:
    """Literal text, or a field."""

    text: str
    is_field: bool


def pieces_of(template: str, rule: str) -> tuple[Piece, ...]:
    """The template in order. Raises Fatal `naming.rules` for anything but text and `{field}`."""
    pieces: list[Piece] = []
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise _unreadable(template, rule) from error
    for literal, field, spec, conversion in parsed:
        if literal:
            pieces.append(Piece(literal, is_field=False))
        if field is None:
            continue
        if spec or conversion or not re.match(FIELD_NAME, field):
            raise _unreadable(template, rule)
        pieces.append(Piece(field, is_field=True))
    return tuple(pieces)


def fields_of(template: str, rule: str) -> frozenset[str]:
    return frozenset(piece.text for piece in pieces_of(template, rule) if piece.is_field)


def _unreadable(template: str, rule: str) -> Exception:
    return broken(
        rule,
        f"the template “{template}” is not made of text and {{field}}s",
        "Write fields as {sequence}: lower-case letters, digits and _ in braces, nothing else.",
    )


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
                "The naming rule “{rule}” takes too long to read {text}.",
                hint="Write the rule's patterns without a repeat inside a repeat and without "
                "choices that overlap, or rename the file.",
                code="name.slow",
                rule=self.rule,
                text=shown(text),
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


def folder_of(rule: NameRule, values: Mapping[str, str]) -> tuple[str, ...]:
    """The folder's path below the project's root, down to the first field that no value is for.

    Raises Skip `name.folder`.
    """
    titled = dict(values)
    if title := rule.titles.get(values.get("sequence", "")):
        titled["sequence"] = title
    parts = takewhile(
        lambda part: fields_of(part, rule.name) <= titled.keys(), rule.folder.split("/")
    )
    return tuple(safe_part(part.format_map(titled), "folder") for part in parts)


def stack_of(rule: NameRule, values: Mapping[str, str]) -> str:
    """What all versions of the clip have in common. Raises Skip `name.folder`."""
    return safe_part(rule.stack.format_map(values), "stack")
