"""What would only be noticed in production, refused while the rules load."""

from __future__ import annotations

import re
from collections.abc import Sequence

from postflow.errors import Skip, shown

from .filename import MAX_BYTES, clean_name, safe_part
from .matcher import Matcher
from .rules import NameRule, broken, fields_of, folder_of, stack_of
from .version import LONGEST, MOST_DIGITS, date_of, is_date_format


def check_rules(matchers: Sequence[Matcher]) -> None:
    """Raises Fatal `naming.rules` for a rule that cannot be used, or two that contradict."""
    names = [matcher.rule.name for matcher in matchers]
    for matcher in matchers:
        if names.count(matcher.rule.name) > 1:
            raise broken(matcher.rule.name, "two rules have this name", "Rename one of them.")
        _check_outputs(matcher)
        _check_examples(matcher)
        _check_speed(matcher)
    for matcher in matchers:
        _check_ambiguity(matcher, matchers)


def _check_outputs(matcher: Matcher) -> None:
    rule = matcher.rule
    known = matcher.fields | set(rule.asks)
    for what, template in (("folder", rule.folder), ("stack", rule.stack)):
        unknown = sorted(fields_of(template, rule.name) - known)
        if unknown:
            raise broken(
                rule.name,
                f"the {what} template uses “{unknown[0]}”, which the name does not hold",
                f"Use one of {', '.join(sorted(known))}.",
            )
    if "version" in fields_of(rule.stack, rule.name):
        raise broken(
            rule.name,
            "the stack template uses “version”",
            "A stack is what versions have in common: take {version} out.",
        )
    if asked := matcher.fields & set(rule.asks):
        raise broken(
            rule.name,
            f"it asks for “{min(asked)}”, which the name holds already",
            "Take the field out of asks.",
        )


def _check_examples(matcher: Matcher) -> None:
    for example in matcher.rule.examples:
        try:
            values = matcher.match(clean_name(example))
            if values is None:
                reason = matcher.why_not(example).reason
                raise broken(
                    matcher.rule.name,
                    f"its own example “{example}” does not match: {reason}",
                    "Correct the example or the pattern.",
                )
            _check_placed(matcher.rule, values)
        except Skip as error:
            raise broken(
                matcher.rule.name, f"example “{example}”: {error.message}", error.hint
            ) from error


def _check_speed(matcher: Matcher) -> None:
    """Names that follow the example up to a place and then repeat its character to the end."""
    example = clean_name(matcher.rule.examples[0])
    for place, char in enumerate(example):
        hostile = example[:place] + char * (MAX_BYTES - place - 1) + "!"
        try:
            matcher.match(hostile)
        except Skip as slow:
            raise broken(
                matcher.rule.name,
                f"it takes too long to read names such as {shown(hostile)}",
                slow.hint,
            ) from slow


def _check_placed(rule: NameRule, values: dict[str, str]) -> None:
    complete = dict.fromkeys(map(str, rule.asks), "ASKED") | values
    folder_of(rule, complete)
    stack_of(rule, complete)
    for title in rule.titles.values():
        safe_part(title, "title")
    _check_version(rule, values.get("version"))


def _check_version(rule: NameRule, version: str | None) -> None:
    if len(version or "") > LONGEST:
        problem = f"its version is longer than {LONGEST} characters"
        raise broken(rule.name, problem, r"Bound it, such as v\d{3}.")
    if re.search(rf"[0-9]{{{MOST_DIGITS + 1}}}", version or ""):
        problem = f"its version holds a number longer than {MOST_DIGITS} digits"
        raise broken(rule.name, problem, r"Bound it, such as v\d{3}.")
    written = rule.version_date
    if written is None:
        return
    if version is None or not is_date_format(written):
        problem = f"version_date is “{written}”" + ("" if version else ", but there is no version")
        remedy = "Write it with DD, MM (or MMM, as Jan) and YY or YYYY, such as DDMMYY."
        raise broken(rule.name, problem, remedy)
    date_of(version, written)


def _check_ambiguity(matcher: Matcher, matchers: Sequence[Matcher]) -> None:
    rule = matcher.rule
    for other in matchers:
        if other is matcher or other.rule.rank != rule.rank:
            continue
        both = next((name for name in rule.examples if other.match(name)), None)
        if both:
            raise broken(
                rule.name,
                f"“{both}” also fits the rule “{other.rule.name}”",
                "Narrow one of the two, or give them different ranks: the lower rank answers.",
            )
