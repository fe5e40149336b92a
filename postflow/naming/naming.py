"""A studio's naming rules, compiled: from a file's name to its shot, folder and stack."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Self

from postflow.errors import Fatal, Skip, shown
from postflow.models import FrozenModel, Shot

from .by_hand import place
from .checks import check_rules
from .filename import clean_name, field_word, listed, safe_part, split_version
from .matcher import Matcher, nearest_name
from .presets import PRESETS
from .rules import NameRule, Values, fields_of, folder_of, read_rules, stack_of
from .version import Order, date_of, version_number, version_order

_OPTIONS = {"sequence": "scene SQ07", "shot": "shot 00152"}
# Of a name that cannot be read at all, no rule says anything.
_WITHOUT_ANSWERS = {"name.unsafe", "name.folder", "name.slow"}


class RuleAnswer(FrozenModel):
    """What one rule says: that the name fits, or which field does not and why."""

    rule: str
    matched: bool
    field: str | None = None
    reason: str
    example: str


class Explanation(FrozenModel):
    """What a name means, or what is wrong with it and what would be right."""

    name: str
    shot: Shot | None = None
    code: str | None = None
    problem: str | None = None
    hint: str | None = None
    nearest: str | None = None
    answers: tuple[RuleAnswer, ...] = ()


class Naming:
    """Compiled rules. Raises Fatal `naming.rules` for unsafe, ambiguous or incomplete ones."""

    def __init__(self, rules: Iterable[NameRule | Mapping[str, Any]]) -> None:
        """`rules` may be tables, as TOML or JSON hold them."""
        self.rules = read_rules(rules)
        self._matchers = sorted((Matcher(rule) for rule in self.rules), key=lambda m: m.rule.rank)
        check_rules(self._matchers)

    @classmethod
    def of(cls, preset: str, rules: Sequence[Mapping[str, Any]]) -> Self:
        """The naming by these rules; by the preset where there are none."""
        return cls(rules) if rules else cls.preset(preset)

    @classmethod
    def preset(cls, name: str = "undlm") -> Self:
        """A shipped set of rules. Raises Fatal `naming.preset`."""
        if name not in PRESETS:
            raise Fatal(
                "There is no set of naming rules called {name}.",
                hint="Choose one of {presets}, or write rules of your own.",
                code="naming.preset",
                name=shown(name),
                presets=", ".join(PRESETS),
            )
        return cls(PRESETS[name])

    def identify(self, name: str, *, scene: str | None = None, shot: str | None = None) -> Shot:
        """What the name means. `scene` and `shot` given by hand win, and make any name deliverable:
        they are read by the rules, and fill the folder of one.

        Raises Skip `name.` `unsafe`, `unknown`, `incomplete`, `ambiguous`, `version`, `folder`
        or `slow`.
        """
        clean = clean_name(name)
        given = _given(scene, shot)
        found = self._find(clean)
        if given:
            return self._by_hand(clean, found, given)
        if found:
            return _shot(clean, *found)
        raise self._unknown(clean)

    def _by_hand(self, name: str, found: tuple[NameRule, Values] | None, given: Values) -> Shot:
        rule, known = found or (None, Values())
        placing = place(self._matchers, rule, known, given)
        values = _in_one_case(placing.rule, placing.values)
        if found and not placing.missing:
            return _shot(name, placing.rule, {**known, **values})
        return _shot_by_hand(name, placing.rule, values)

    def stack_by_hand(self, name: str) -> tuple[str, str | None]:
        """Stack and version of a name that no rule reads. Raises Skip `name.unsafe`."""
        stem, version = split_version(clean_name(name))
        return safe_part(stem, "stack"), version

    def explain(
        self, name: str, *, scene: str | None = None, shot: str | None = None
    ) -> Explanation:
        """What `identify` finds, as an answer for a person in the language spoken, rule by rule;
        raises nothing.
        """
        try:
            known = self.identify(name, scene=scene, shot=shot)
        except Skip as error:
            answers = () if error.code in _WITHOUT_ANSWERS else self._answers(clean_name(name))
            return Explanation(
                name=shown(name)[1:-1],
                code=error.code,
                problem=error.told.message,
                hint=error.told.hint,
                nearest=nearest_name(name, self._matchers) if answers else None,
                answers=answers,
            )
        return Explanation(name=known.file_name, shot=known, answers=self._answers(known.file_name))

    def folder_for(self, shot: Shot, field: Literal["sequence", "shot"]) -> tuple[str, ...]:
        """The path of the folder that the rule keeps for the clip's sequence, or its shot, alone;
        empty where it keeps none.
        """
        rule = next((rule for rule in self.rules if rule.name == shot.rule), None)
        if rule is None or getattr(shot, field) is None:
            return ()
        parts = rule.folder.split("/")[: len(shot.folder)]
        named = (
            depth for depth, part in enumerate(parts, 1) if field in fields_of(part, rule.name)
        )
        return shot.folder[: next(named, 0)]

    def order(self, shot: Shot) -> Order:
        """What the versions of one stack are sorted by, the earliest first."""
        dates = {rule.name: rule.version_date for rule in self.rules}
        return version_order(shot.version, dates.get(shot.rule))

    def _find(self, name: str) -> tuple[NameRule, Values] | None:
        fits = [(m.rule, values) for m in self._matchers if (values := m.match(name)) is not None]
        if len(fits) > 1 and fits[0][0].rank == fits[1][0].rank:
            raise Skip(
                "{name} fits two rules, “{one}” and “{other}”.",
                hint="Give the two rules different ranks, or the scene and shot by hand.",
                code="name.ambiguous",
                name=shown(name),
                one=fits[0][0].name,
                other=fits[1][0].name,
            )
        return fits[0] if fits else None

    def _answers(self, name: str) -> tuple[RuleAnswer, ...]:
        return tuple(_answer(matcher, name) for matcher in self._matchers)

    def _unknown(self, name: str) -> Skip:
        mismatches = [(matcher, matcher.why_not(name)) for matcher in self._matchers]
        matcher, mismatch = max(mismatches, key=lambda pair: pair[1].reached)
        example = matcher.rule.examples[0]
        nearest = nearest_name(name, self._matchers)
        near = nearest and nearest != name
        return Skip(
            "{name} is no name PostFlow knows: {reason}.",
            hint="Was {nearest} meant? A right name looks like {example}; or give the scene and "
            "shot by hand."
            if near
            else "A right name looks like {example}; or give the scene and shot by hand.",
            code="name.unknown",
            name=shown(name),
            reason=mismatch.reason,
            nearest=shown(nearest or ""),
            example=shown(example),
        )


def _answer(matcher: Matcher, name: str) -> RuleAnswer:
    rule, example = matcher.rule, matcher.rule.examples[0]
    if matcher.match(name) is not None:
        asks = f"; the {' and the '.join(rule.asks)} must be given by hand" if rule.asks else ""
        return RuleAnswer(rule=rule.name, matched=True, reason=f"it fits{asks}", example=example)
    no = matcher.why_not(name)
    return RuleAnswer(
        rule=rule.name, matched=False, field=no.field, reason=no.reason, example=example
    )


def _given(scene: str | None, shot: str | None) -> Values:
    given = {"sequence": (scene, "scene"), "shot": (shot, "shot")}
    return {field: safe_part(text, what) for field, (text, what) in given.items() if text}


def _shot(name: str, rule: NameRule, values: Values) -> Shot:
    merged = _in_one_case(rule, values)
    missing = [field for field in rule.asks if field not in merged]
    if missing:
        options = ", ".join(_OPTIONS[field] for field in missing)
        raise Skip(
            "{name} does not say its {missing}.",
            hint="Give it by hand ({options}), or put it in the name.",
            code="name.incomplete",
            name=shown(name),
            missing=listed(map(field_word, missing)),
            options=options,
        )
    if rule.version_date and "version" in merged:
        date_of(merged["version"], rule.version_date)
    return Shot(
        file_name=name,
        rule=rule.name,
        project_code=merged.get("project"),
        sequence=merged.get("sequence"),
        shot=merged.get("shot"),
        version=merged.get("version"),
        version_number=version_number(merged.get("version")),
        folder=folder_of(rule, merged),
        stack=stack_of(rule, merged),
    )


def _shot_by_hand(name: str, rule: NameRule, values: Values) -> Shot:
    stem, version = split_version(name)
    return Shot(
        file_name=name,
        rule="by hand",
        sequence=values.get("sequence"),
        shot=values.get("shot"),
        version=version,
        version_number=version_number(version),
        folder=folder_of(rule, values),
        stack=safe_part(stem, "stack"),
    )


def _in_one_case(rule: NameRule, values: Values) -> Values:
    """Where case does not matter, one shot must not become two folders."""
    if rule.case_sensitive:
        return values
    return {k: v if k in {"version", "ext"} else v.upper() for k, v in values.items()}
