"""Sequence and shot as a person gives them, read by the studio's own rules."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from postflow.errors import Skip, shown

from .filename import field_word, listed
from .matcher import Matcher, forms
from .rules import NameRule, Values, fields_of, pieces_of

# What a command, Python and Prefect's form call them.
OPTIONS = {"sequence": "scene", "shot": "shot"}


@dataclass(frozen=True)
class Placing:
    """A rule whose folder the values fill, as far as `missing` and `wrong` allow."""

    matcher: Matcher
    values: Values
    missing: tuple[str, ...]
    wrong: str | None

    @property
    def rule(self) -> NameRule:
        return self.matcher.rule

    @property
    def flaws(self) -> tuple[bool, bool, int]:
        """The rule with the fewest is taken."""
        if self.wrong:
            return True, False, 0
        return False, not {*self.missing} <= OPTIONS.keys(), len(self.missing)


def place(
    matchers: Sequence[Matcher], found: NameRule | None, known: Values, given: Values
) -> Placing:
    """The rule that says where a clip goes for which a person gives values: the rule that reads
    its name, if it takes them, else the first that does.

    Raises Skip `name.folder` for a value that no rule knows, `name.incomplete` for one that lacks.
    """
    first = sorted(matchers, key=lambda matcher: matcher.rule is not found)
    placings = [
        _placing(matcher, matchers, known, given)
        for matcher in first
        if given.keys() <= fields_of(matcher.rule.folder, matcher.rule.name)
    ]
    if not placings:
        raise _unused(given, matchers)
    best = min(placings, key=lambda placing: placing.flaws)
    if best.wrong:
        raise _wrong(best, given, matchers)
    # A clip of a scene as a whole goes to the scene's own folder.
    is_whole_sequence = given.keys() == {"sequence"} and best.missing == ("shot",)
    if best.missing and not is_whole_sequence:
        raise _missing(best, matchers)
    return best


def _placing(
    matcher: Matcher, matchers: Sequence[Matcher], known: Values, given: Values
) -> Placing:
    # Fields that can hold one text only, such as the project of a studio with one, then what the
    # name says, as far as it says the same by this rule.
    values = {field: text for field, text in matcher.patterns.items() if text.isalnum()}
    values |= {f: v for f, v in known.items() if f not in matcher.patterns or matcher.fits(f, v)}
    wrong = None
    for field, text in given.items():
        read = _read(matcher, matchers, field, text, values.get("project"))
        if read is None:
            wrong = wrong or field
        else:
            values |= read
    needed = fields_of(matcher.rule.folder, matcher.rule.name)
    return Placing(matcher, values, tuple(sorted(needed - values.keys() - {wrong})), wrong)


def _read(
    matcher: Matcher, matchers: Sequence[Matcher], field: str, text: str, project: str | None
) -> Values | None:
    """As a value of the field, or as the folder that is named after it (UNDLM_00152)."""
    readers = [matcher] if field in matcher.patterns else matchers
    readers = [each for each in readers if field in each.patterns]
    if not readers:  # a regular expression, or nobody but the person knows
        return {field: text}
    titles = {title: sequence for sequence, title in matcher.rule.titles.items()}
    if field == "sequence" and text in titles:
        return {field: titles[text]}
    plain = text.removeprefix(f"{project}_") or text
    for each in readers:
        for form in forms(plain, each.example.get(field, "")):
            if each.fits(field, form):
                return {field: form}
    return _read_as_folder(matcher, field, text)


def _read_as_folder(matcher: Matcher, field: str, text: str) -> Values | None:
    rule = matcher.rule
    for part in rule.folder.split("/"):
        fields = fields_of(part, rule.name)
        if field not in fields or len(fields) < 2 or not fields <= matcher.patterns.keys():
            continue
        values = matcher.compiled(pieces_of(part, rule.name)).fit(text)
        if values is not None:
            return values
    return None


def _wrong(placing: Placing, given: Values, matchers: Sequence[Matcher]) -> Skip:
    field = str(placing.wrong)
    like = _examples(placing, matchers).get(field)
    text = given[field]
    return Skip(
        "{text} is no {field} such as {like}."
        if like
        else "{text} is no {field} that a rule knows.",
        hint="Give it as file names have it: {options}.",
        code="name.folder",
        text=shown(text),
        field=field_word(field),
        like=shown(like or ""),
        options=_options(placing, matchers),
    )


def _missing(placing: Placing, matchers: Sequence[Matcher]) -> Skip:
    by_hand = {*placing.missing} <= OPTIONS.keys()
    return Skip(
        "Where the clip goes is not clear without its {missing}.",
        hint="Give it too, as in {options}; or name the file as the rule has it, such as {example}."
        if by_hand
        else "Name the file as the rule has it, such as {example}.",
        code="name.incomplete",
        missing=listed(map(field_word, placing.missing)),
        options=_options(placing, matchers),
        example=shown(placing.rule.examples[0]),
    )


def _unused(given: Values, matchers: Sequence[Matcher]) -> Skip:
    what = listed(f"{OPTIONS[field]} {shown(text)}" for field, text in given.items())
    example = matchers[0].rule.examples[0]
    return Skip(
        "{what} cannot be given: no rule's folder is named after it.",
        hint="Name the file as the rules have it, such as {example}.",
        code="name.folder",
        what=what,
        example=shown(example),
    )


def _options(placing: Placing, matchers: Sequence[Matcher]) -> str:
    values = _examples(placing, matchers)
    return ", ".join(f"{option} {values[f]}" for f, option in OPTIONS.items() if f in values)


def _examples(placing: Placing, matchers: Sequence[Matcher]) -> Mapping[str, str]:
    """Of the rule itself, and of another for what its own names leave out."""
    return ChainMap(*({**each.example} for each in (placing.matcher, *matchers)))
