"""One compiled rule: what a name means by it, or where the name parts from it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import parse

from .filename import shown
from .patterns import check_field, check_regex, count_readings
from .rules import NameRule, broken
from .template import Piece, pieces_of

DEFAULT_FIELDS = {"ext": "(?i:mov|mp4|mxf|avi|mkv)"}
_REST = "rest"
_WORDS = {"ext": "extension"}
_WORD_END = re.compile(r"[ ._-]")

Values = dict[str, str]


@dataclass(frozen=True)
class Mismatch:
    """Where a name parts from a rule: the field, the reason, and how many characters were right."""

    field: str | None
    reason: str
    reached: int


class Matcher:
    """A rule compiled. Raises Fatal `naming.rules` when its patterns are unsafe."""

    def __init__(self, rule: NameRule) -> None:
        self.rule = rule
        self.pieces = pieces_of(rule.template, rule.name) if rule.template else ()
        self.patterns = _patterns(rule, self.pieces)
        if rule.regex:
            check_regex(rule.regex, rule.name)
        self.readings = _readings(rule, self.pieces, self.patterns)
        self._read = self._compiled_regex() if rule.regex else self.compiled(self.pieces)

    @property
    def fields(self) -> frozenset[str]:
        if self.rule.regex:
            return frozenset(re.compile(self.rule.regex).groupindex)
        return frozenset(self.patterns)

    def match(self, name: str) -> Values | None:
        """Each field's text, or None when the name does not fit."""
        return self._read(name) if name.isascii() else None

    @cached_property
    def example(self) -> Values:
        """The first example's fields: what right ones look like."""
        return self.match(self.rule.examples[0]) or {}

    def why_not(self, name: str) -> Mismatch:
        """Where a name that does not match parts from the rule."""
        foreign = next((char for char in name if not char.isascii()), None)
        if foreign:
            return Mismatch(None, f"names are written without {shown(foreign)}", 0)
        if self.rule.regex:
            return Mismatch(None, "it does not fit the rule's expression", 0)
        return self._part(name)

    def _part(self, name: str) -> Mismatch:
        matched, values = 0, Values()
        for read in self._prefixes:
            found = read(name)
            if found is None:
                break
            matched, values = matched + 1, found
        rest = values.pop(_REST, name)
        return _Parting(self, name, values, rest, matched).mismatch()

    @cached_property
    def _prefixes(self) -> tuple[Callable[[str], Values | None], ...]:
        rest = Piece(_REST, is_field=True)
        return tuple(
            self.compiled((*self.pieces[:count], rest)) for count in range(1, len(self.pieces) + 1)
        )

    def compiled(self, pieces: tuple[Piece, ...]) -> Callable[[str], Values | None]:
        """Reads text that is put together like that."""
        text = "".join(_parse_piece(piece) for piece in pieces)
        types = {field: _typed(pattern) for field, pattern in self.patterns.items()}
        parser = parse.compile(
            text, {**types, _REST: _typed(".*")}, case_sensitive=self.rule.case_sensitive
        )

        def read(name: str) -> Values | None:
            found = parser.parse(name)
            return dict(found.named) if isinstance(found, parse.Result) else None

        return read

    def _compiled_regex(self) -> Callable[[str], Values | None]:
        flags = re.ASCII if self.rule.case_sensitive else re.ASCII | re.IGNORECASE
        expression = re.compile(f"(?:{self.rule.regex})", flags)

        def read(name: str) -> Values | None:
            found = expression.fullmatch(name)
            values = found.groupdict("") if found else {}
            return values if found and all(values.values()) else None

        return read


@dataclass(frozen=True)
class _Parting:
    """A name that followed a rule for `matched` pieces and has `rest` left."""

    matcher: Matcher
    name: str
    values: Values
    rest: str
    matched: int

    def mismatch(self) -> Mismatch:
        field, reason = self._explained()
        return Mismatch(field, reason, len(self.name) - len(self.rest))

    def _explained(self) -> tuple[str | None, str]:
        pieces = self.matcher.pieces
        if self.matched == len(pieces):
            return (
                None,
                f"after {shown(self._done)} nothing may follow, but {shown(self.rest)} does",
            )
        piece = pieces[self.matched]
        if piece.is_field:
            return piece.text, self._wrong(piece.text, _word(self.rest))
        before = pieces[self.matched - 1] if self.matched else None
        if before and before.is_field and self.rest[:1].isalnum():
            return before.text, self._wrong(
                before.text, self.values[before.text] + _word(self.rest)
            )
        return self._missing(piece.text)

    def _wrong(self, field: str, found: str) -> str:
        like = self.matcher.example.get(field, "")
        word = _WORDS.get(field, field)
        if not found:
            return f"the {word} is missing, such as {shown(like)}"
        return f"{shown(found)} is no {word} such as {shown(like)}"

    def _missing(self, literal: str) -> tuple[str | None, str]:
        follower = self.matcher.pieces[self.matched + 1 : self.matched + 2]
        field = follower[0].text if follower else None
        due = literal + self.matcher.example.get(field or "", "")
        if not self.matched:
            return field, f"it does not begin with {shown(literal)}"
        # An extension that stands behind something else is not missing.
        lacks = field and not (field == "ext" and self.rest)
        what = f"the {_WORDS.get(str(field), field)} is missing: " if lacks else ""
        but = f", not {shown(self.rest)}" if self.rest else ""
        return field, f"{what}after {shown(self._done)} should come {shown(due)}{but}"

    @property
    def _done(self) -> str:
        return self.name[: len(self.name) - len(self.rest)]


def _patterns(rule: NameRule, pieces: tuple[Piece, ...]) -> dict[str, str]:
    used = [piece.text for piece in pieces if piece.is_field]
    for field in used:
        if field == _REST or field not in {*rule.fields, *DEFAULT_FIELDS}:
            raise broken(
                rule.name,
                f"the field “{field}” has no pattern",
                rf"Add it to the rule's fields, for example {field} = '[A-Z]{{2,8}}'.",
            )
    for field in rule.fields:
        if field not in used:
            raise broken(
                rule.name,
                f"“{field}” has a pattern but is not in the template",
                "Use the field in the template, or take its pattern out.",
            )
    patterns = {field: {**DEFAULT_FIELDS, **rule.fields}[field] for field in used}
    for field, pattern in patterns.items():
        check_field(field, pattern, rule.name)
    return patterns


def _readings(rule: NameRule, pieces: tuple[Piece, ...], patterns: dict[str, str]) -> int:
    expression = rule.regex or "".join(
        f"(?:{patterns[piece.text]})" if piece.is_field else re.escape(piece.text)
        for piece in pieces
    )
    return count_readings(expression, rule.name)


def _parse_piece(piece: Piece) -> str:
    if piece.is_field:
        return f"{{{piece.text}:{piece.text}}}"
    return piece.text.replace("{", "{{").replace("}", "}}")


def _typed(pattern: str) -> Callable[[str], str]:
    @parse.with_pattern(pattern)  # type: ignore[untyped-decorator]
    def as_written(text: str) -> str:
        return text

    return as_written  # type: ignore[no-any-return]


def _word(text: str) -> str:
    return _WORD_END.split(text, maxsplit=1)[0]
