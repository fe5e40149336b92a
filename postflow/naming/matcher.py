"""One compiled rule: what a name means by it, or where the name stops to fit it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

from postflow.errors import Skip, shown
from postflow.language import N_
from postflow.models import SUFFIXES

from .filename import field_word
from .rules import NameRule, Pattern, Piece, Values, broken, field_pattern, pieces_of, unsafe

DEFAULT_FIELDS = {"ext": f"(?i:{'|'.join(suffix[1:] for suffix in SUFFIXES)})"}
_REST = "rest"
_WORD_END = re.compile(r"[ ._-]")
_NUMBERED = re.compile(r"([A-Za-z]{0,8})([0-9]{1,9})")
_NUMBER = re.compile(r"[A-Za-z]{0,3}[0-9]+")

# Of the search for the name that was meant.
MAX_LENGTH = 80
MAX_WORDS = 12
LIKENESS = 0.6


@dataclass(frozen=True)
class Mismatch:
    """Where a name stops to fit: the field, the reason, and how many characters were right."""

    field: str | None
    reason: str
    reached: int


class Matcher:
    """A rule compiled. Raises Fatal `naming.rules` when its patterns are unsafe."""

    def __init__(self, rule: NameRule) -> None:
        self.rule = rule
        self.pieces = pieces_of(rule.template, rule.name) if rule.template else ()
        self.patterns = _patterns(rule, self.pieces)
        self._fields = {
            field: field_pattern(field, text, rule) for field, text in self.patterns.items()
        }
        self._whole = _of_regex(rule.regex, rule) if rule.regex else self.compiled(self.pieces)

    @property
    def fields(self) -> frozenset[str]:
        return self._whole.names

    def match(self, name: str) -> Values | None:
        """Each field's text, or None when the name does not fit."""
        values = self._whole.fit(name) if name.isascii() else None
        return values if values is not None and all(values.values()) else None

    def fits(self, field: str, text: str) -> bool:
        return self._fields[field].fit(text) is not None

    @cached_property
    def example(self) -> Values:
        """The first example's fields: what right ones look like."""
        return self.match(self.rule.examples[0]) or {}

    def why_not(self, name: str) -> Mismatch:
        """Where a name that does not match stops to fit the rule."""
        foreign = next((char for char in name if not char.isascii()), None)
        if foreign:
            without = N_("names are written without {char}", char=shown(foreign))
            return Mismatch(None, without, 0)
        if self.rule.regex:
            return Mismatch(None, N_("it does not fit the rule's expression"), 0)
        try:
            return self._part(name)
        except Skip:
            return Mismatch(None, N_("it takes too long to read"), 0)

    def _part(self, name: str) -> Mismatch:
        matched, values = 0, Values()
        for prefix in self._prefixes:
            found = prefix.fit(name)
            if found is None:
                break
            matched, values = matched + 1, found
        rest = values.pop(_REST, name)
        return _PartialMatch(self, name, values, rest, matched).mismatch()

    @cached_property
    def _prefixes(self) -> tuple[Pattern, ...]:
        rest = Piece(_REST, is_field=True)
        return tuple(
            self.compiled((*self.pieces[:count], rest)) for count in range(1, len(self.pieces) + 1)
        )

    def compiled(self, pieces: tuple[Piece, ...]) -> Pattern:
        """Reads text that is put together like that."""
        expression, seen = "", set[str]()
        for piece in pieces:
            if not piece.is_field:
                expression += re.escape(piece.text)
            elif piece.text in seen:
                expression += f"(?P={piece.text})"
            else:
                expression += f"(?P<{piece.text}>{self.patterns.get(piece.text, '.*')})"
                seen.add(piece.text)
        return Pattern(expression, self.rule, "template")


@dataclass(frozen=True)
class _PartialMatch:
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
            more = N_("after {done} nothing may follow, but {rest} does", **self._both)
            return None, more
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
        word = field_word(field)
        if not found:
            return N_("the {word} is missing, such as {like}", word=word, like=shown(like))
        return N_(
            "{found} is no {word} such as {like}", found=shown(found), word=word, like=shown(like)
        )

    def _missing(self, literal: str) -> tuple[str | None, str]:
        follower = self.matcher.pieces[self.matched + 1 : self.matched + 2]
        field = follower[0].text if follower else None
        due = literal + self.matcher.example.get(field or "", "")
        if not self.matched:
            return field, N_("it does not begin with {literal}", literal=shown(literal))
        # An extension that stands behind something else is not missing.
        lacks = field and not (field == "ext" and self.rest)
        facts = {**self._both, "due": shown(due)}
        here = N_("after {done} should come {due}", **facts)
        if self.rest:
            here = N_("after {done} should come {due}, not {rest}", **facts)
        if lacks:
            here = N_("the {word} is missing: {here}", word=field_word(str(field)), here=here)
        return field, here

    @property
    def _both(self) -> dict[str, str]:
        return {"done": shown(self._done), "rest": shown(self.rest)}

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
    return {field: {**DEFAULT_FIELDS, **rule.fields}[field] for field in used}


def _of_regex(expression: str, rule: NameRule) -> Pattern:
    pattern = Pattern(expression, rule)
    if pattern.groups > len(pattern.names):
        raise unsafe(rule, "the regex holds a group without a name; write (?P<name>…) or (?:…)")
    return pattern


def _word(text: str) -> str:
    return _WORD_END.split(text, maxsplit=1)[0]


def nearest_name(name: str, matchers: Sequence[Matcher]) -> str | None:
    """A name that fits one of the rules and resembles `name`, or None. Bounded in time."""
    words = re.split(r"[ ._-]+", _without_accents(name))
    if len(name) > MAX_LENGTH or len(words) > MAX_WORDS:
        return None
    guesses = (_rebuilt(words, matcher) for matcher in matchers if not matcher.rule.asks)
    likely = [(_likeness(name, guess), guess) for guess in guesses if guess]
    best = max(likely, default=(0.0, None), key=lambda scored: scored[0])
    return best[1] if best[0] >= LIKENESS else None


def _rebuilt(words: list[str], matcher: Matcher) -> str | None:
    """The rule's template filled with the words that can be made to fit, in their order."""
    values: Values = {}
    left = list(words)
    for piece in matcher.pieces:
        if not piece.is_field or piece.text in values:
            continue
        value = _taken(left, piece.text, matcher, begun=bool(values))
        if value is None:
            return None
        values[piece.text] = value
    guess = "".join(values[p.text] if p.is_field else p.text for p in matcher.pieces)
    return guess if matcher.match(guess) else None


def _taken(left: list[str], field: str, matcher: Matcher, *, begun: bool) -> str | None:
    """The first word that can be made to fit the field, taken with all before it.

    A number within the name, such as a shot's, is not passed over, nor is a second version: without
    it, it is another clip.
    """
    for place, word in enumerate(left):
        form = _fitting(word, field, matcher)
        if form is None:
            continue
        passed = left[:place] if begun else []
        if field == "ext" and any(_fitting(each, "version", matcher) for each in passed):
            return None
        if field != "ext" and any(_NUMBER.fullmatch(each) for each in passed):
            return None
        del left[: place + 1]
        return form
    return matcher.patterns[field] if matcher.patterns[field].isalnum() else None


def _fitting(word: str, field: str, matcher: Matcher) -> str | None:
    """The word in the first form that fits the field."""
    if field not in matcher.patterns:
        return None
    found = forms(word, matcher.example[field])
    return next((form for form in found if matcher.fits(field, form)), None)


def forms(word: str, example: str) -> Iterator[str]:
    """The word as it is, in other cases, and with its number as wide as the example's."""
    cased = dict.fromkeys((word, word.upper(), word.lower(), word[:1].lower() + word[1:]))
    yield from cased
    like = _NUMBERED.fullmatch(example)
    for form in cased:
        if like and (found := _NUMBERED.fullmatch(form)):
            yield found[1] + found[2].lstrip("0").zfill(len(like[2]))


def _likeness(name: str, guess: str) -> float:
    return SequenceMatcher(None, name.lower(), guess.lower(), autojunk=False).ratio()


def _without_accents(name: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
