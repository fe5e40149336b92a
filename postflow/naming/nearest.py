"""The right name that a wrong one was probably meant to be."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from .matcher import Matcher
from .patterns import Values

MAX_LENGTH = 80
MAX_WORDS = 12
LIKENESS = 0.6

_NUMBERED = re.compile(r"([A-Za-z]{0,8})([0-9]{1,9})")


_NUMBER = re.compile(r"[A-Za-z]{0,3}[0-9]+")


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

    A number within the name, such as a shot's, is not passed over: without it, it is another clip.
    """
    for place, word in enumerate(left):
        for form in forms(word, matcher.example[field]):
            if matcher.fits(field, form):
                passed = left[:place] if begun and field != "ext" else []
                if any(_NUMBER.fullmatch(each) for each in passed):
                    return None
                del left[: place + 1]
                return form
    return matcher.patterns[field] if matcher.patterns[field].isalnum() else None


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
