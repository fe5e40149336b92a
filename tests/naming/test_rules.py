"""Rules that could do harm do not load, and say why."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postflow.errors import Fatal, Skip
from postflow.naming import PRESETS, NameRule, Naming

GOOD: dict[str, Any] = {
    "name": "shot",
    "template": "{sequence}_{shot}_{version}.{ext}",
    "fields": {"sequence": r"SQ\d{2}", "shot": r"\d{4}", "version": r"v\d{3}"},
    "folder": "SHOTS/{sequence}/{shot}",
    "stack": "{sequence}_{shot}",
    "examples": ["SQ01_0010_v001.mov"],
}


def with_field(field: str, pattern: str, example: str = "SQ01_0010_v001.mov") -> dict[str, Any]:
    return {**GOOD, "fields": {**GOOD["fields"], field: pattern}, "examples": [example]}


def with_regex(regex: str, example: str = "SQ01_0010.mov") -> dict[str, Any]:
    rule = {key: value for key, value in GOOD.items() if key not in {"template", "fields"}}
    return {**rule, "regex": regex, "examples": [example]}


def refusal_of(*rules: dict[str, Any]) -> Fatal:
    with pytest.raises(Fatal) as refusal:
        Naming(rules)
    assert refusal.value.code == "naming.rules"
    assert refusal.value.hint
    return refusal.value


def test_the_good_rule_loads_and_answers() -> None:
    found = Naming([GOOD]).identify("SQ01_0010_v001.mov")

    assert found.folder == ("SHOTS", "SQ01", "0010")


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        (r"\d*", "may be empty"),
        (r"(?:\d|\d\d)+", "too long"),
        (r"(?:(?:\d{1,9}){1,9}){1,9}", "too long"),
        (r"(\d)\d{3}", "capturing group"),
        (r"(?P<x>\d{4})", "capturing group"),
        (r"\d{4}$", "not match"),
        (r"\d{0,4}", "may be empty"),
        (r"é\d{3}", "ASCII"),
        (r"\d{4", "not match"),
        (r"[0-9", "not a regular expression"),
        (r"(?:\d{4})(?(1)a|b)", "not a regular expression"),
    ],
)
def test_unsafe_field_pattern_is_refused(pattern: str, problem: str) -> None:
    assert problem in refusal_of(with_field("shot", pattern)).message


@pytest.mark.parametrize(
    ("regex", "problem"),
    [
        (r"(?P<sequence>SQ(?:\d|\d\d)+)_(?P<shot>\d{4})\.mov", "too long"),
        (r"(SQ\d{2})_(?P<shot>\d{4})\.mov", "without a name"),
        (r"(?P<shot>\d{4})\.mov", "“sequence”, which the name does not hold"),
        (r"(?P<sequence>SQ[0-9]{2}_(?P<shot>\d{4})", "not a regular expression"),
    ],
)
def test_unsafe_regex_is_refused(regex: str, problem: str) -> None:
    assert problem in refusal_of(with_regex(regex)).message


def test_safe_regex_is_anchored_at_both_ends() -> None:
    naming = Naming([with_regex(r"(?P<sequence>SQ\d{2})_(?P<shot>\d{4})\.mov")])

    assert naming.identify("SQ01_0010.mov").stack == "SQ01_0010"
    for name in ("xSQ01_0010.mov", "SQ01_0010.mov.part", "SQ01_0010.MOV"):
        with pytest.raises(Skip, match="expression"):
            naming.identify(name)


def test_alternatives_at_the_top_of_a_regex_are_anchored_too() -> None:
    regex = r"(?P<sequence>SQ\d{2})_(?P<shot>\d{4})\.mov|(?:x)"
    naming = Naming([with_regex(regex)])

    for name in ("SQ01_0010.mov.part", "x", "yx"):
        with pytest.raises(Skip):
            naming.identify(name)


@pytest.mark.parametrize("sequence", [r"SQ\d+", r"SQ(?:\d+)+", r"SQ[\d_]{1,60}", r"(?:S+Q?)+\d\d"])
def test_patterns_without_a_bound_are_read_as_fast_as_others(sequence: str) -> None:
    naming = Naming([with_regex(rf"(?P<sequence>{sequence})_(?P<shot>\d{{4}})\.mov")])

    assert naming.identify("SQ01_0010.mov").sequence == "SQ01"
    for name in ("SQ" + "0" * 253, "S" * 255, "SQ" + "0_" * 126):
        with pytest.raises(Skip) as refusal:
            naming.identify(name)
        assert refusal.value.code == "name.unknown"


def test_a_name_that_a_pattern_would_read_for_ever_is_refused() -> None:
    """No example leads there, so it shows with the first such name only."""
    naming = Naming([with_regex(r"(?P<sequence>SQ01|(?:x|xx)+)_(?P<shot>\d{4})\.mov")])

    with pytest.raises(Skip, match="“shot” takes too long") as refusal:
        naming.identify("x" * 200 + "_10.mov")
    assert refusal.value.code == "name.slow"
    assert naming.explain("x" * 200 + "_10.mov").code == "name.slow"
    assert naming.identify("SQ01_0010.mov").shot == "0010"


def test_wide_fields_beside_separators_they_cannot_hold_are_fine() -> None:
    fields = {f"f{n}": "[A-Z]{1,20}" for n in range(8)}
    template = "_".join(f"{{{field}}}" for field in fields) + ".{ext}"
    rule = {
        **GOOD,
        "template": template,
        "fields": fields,
        "folder": "{f0}/{f1}",
        "stack": "{f0}",
        "examples": ["A_B_C_D_E_F_G_H.mov"],
    }
    assert Naming([rule]).identify("AA_B_C_D_E_F_G_HH.mov").folder == ("AA", "B")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"folder": "{sequence}/{scene}"}, "“scene”, which the name does not hold"),
        ({"stack": "{sequence}_{take}"}, "“take”, which the name does not hold"),
        ({"stack": "{sequence}_{version}"}, "uses “version”"),
        ({"folder": "{sequence}/../{shot}"}, "begins with a dot"),
        ({"folder": "/{sequence}"}, "is empty"),
        ({"folder": "{sequence}//{shot}"}, "is empty"),
        ({"folder": "{sequence}\\{shot}"}, "path separator"),
        ({"folder": "{sequence.upper}"}, "text and {field}s"),
        ({"folder": "{sequence!r}"}, "text and {field}s"),
        ({"template": "{sequence:d}_{shot}_{version}.{ext}"}, "text and {field}s"),
        ({"template": "{}_{shot}_{version}.{ext}"}, "text and {field}s"),
        ({"template": "{sequence_{shot}"}, "text and {field}s"),
        ({"template": "{sequence}_{shot}_{version}_{rest}.{ext}"}, "“rest” has no pattern"),
        ({"template": "{sequence}_{shot}.{ext}"}, "not in the template"),
        ({"examples": ["SQ1_0010_v001.mov"]}, "“SQ1” is no sequence such as"),
        ({"examples": []}, "examples"),
        ({"examples": ["a/b.mov"]}, "path separator"),
        ({"asks": ["shot"]}, "holds already"),
        ({"asks": ["moon"]}, "asks"),
        ({"regex": "x"}, "either a template or a regex"),
        ({"template": None}, "either a template or a regex"),
        ({"colour": "red"}, "colour"),
        ({"titles": {"SQ01": "a/b"}}, "path separator"),
        ({"name": ""}, "name"),
    ],
)
def test_rule_with_a_fault_is_refused(change: dict[str, Any], problem: str) -> None:
    assert problem in refusal_of({**GOOD, **change}).message


def test_a_version_of_too_many_digits_is_refused() -> None:
    rule = with_field("version", r"v\d{15}", "SQ01_0010_v000000000000001.mov")

    assert "longer than 14" in refusal_of(rule).message


def test_two_rules_that_fit_one_example_need_ranks() -> None:
    other = {**GOOD, "name": "other", "folder": "ELSEWHERE/{sequence}"}

    assert "also fits" in refusal_of(GOOD, other).message
    ranked = Naming([{**GOOD, "rank": 2}, {**other, "rank": 1}])
    assert ranked.identify("SQ01_0010_v001.mov").rule == "other"


def test_ambiguity_that_no_example_shows_is_refused_when_met() -> None:
    first = with_field("shot", r"\d{4}|\d{2}X", "SQ01_0010_v001.mov")
    second = {**with_field("shot", r"[A-Z]{3}|\d{2}X", "SQ01_ABC_v001.mov"), "name": "other"}
    naming = Naming([first, second])

    with pytest.raises(Skip, match="fits two rules") as refusal:
        naming.identify("SQ01_10X_v001.mov")
    assert refusal.value.code == "name.ambiguous"


def test_two_rules_of_one_name_are_refused() -> None:
    assert "two rules have this name" in refusal_of(GOOD, GOOD).message


@pytest.mark.parametrize("count", [0, 33])
def test_number_of_rules_is_bounded(count: int) -> None:
    rules = [{**GOOD, "name": str(n), "rank": n} for n in range(count)]

    assert "there are" in refusal_of(*rules).message


def test_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(Fatal) as refusal:
        Naming.preset("moon")
    assert refusal.value.code == "naming.preset"
    assert "undlm" in refusal.value.hint


def test_where_case_does_not_matter_one_shot_has_one_folder() -> None:
    naming = Naming([{**GOOD, "case_sensitive": False}])

    lower, upper = naming.identify("sq01_0010_V002.mov"), naming.identify("SQ01_0010_v001.mov")
    assert (lower.folder, lower.stack) == (upper.folder, upper.stack)


def test_explanation_tells_of_every_rule() -> None:
    naming = Naming.preset("undlm")

    told = naming.explain("SQ07_UNDLM_152_v003.mov")

    assert [answer.rule for answer in told.answers] == [rule.name for rule in naming.rules]
    first = told.answers[0]
    assert (first.matched, first.field) == (False, "shot")
    assert first.reason == "“152” is no shot such as “00152”"
    assert told.nearest == "SQ07_UNDLM_00152_v003.mov"


def test_explanation_of_a_right_name_says_where_it_goes() -> None:
    told = Naming.preset("undlm").explain("SQ07_UNDLM_00152_v003.mov")

    assert told.shot is not None
    assert [answer.matched for answer in told.answers].count(True) == 1


def test_rules_can_be_written_in_toml() -> None:
    text = """
        [[rules]]
        name = "shot"
        template = "{sequence}_{shot}_{version}.{ext}"
        folder = "SHOTS/{sequence}/{shot}"
        stack = "{sequence}_{shot}"
        examples = ["SQ01_0010_v001.mov"]
        [rules.fields]
        sequence = 'SQ\\d{2}'
        shot = '\\d{4}'
        version = 'v\\d{3}'
    """
    naming = Naming(tomllib.loads(text)["rules"])

    assert naming.identify("SQ01_0010_v001.mov").version_number == 1


TEMPLATE_RULES = [
    pytest.param(rule, id=f"{preset}-{rule.name}")
    for preset in ("undlm", "netflix", "generic")
    for rule in PRESETS[preset]
]


@pytest.mark.parametrize("rule", TEMPLATE_RULES)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_what_is_built_from_a_rule_is_read_back(rule: NameRule, data: st.DataObject) -> None:
    patterns = {"ext": "mov|mp4|mxf|avi|mkv", **rule.fields}
    ascii_digits = st.characters(min_codepoint=33, max_codepoint=126)
    values = {
        field: data.draw(st.from_regex(pattern, fullmatch=True, alphabet=ascii_digits), label=field)
        for field, pattern in patterns.items()
    }
    assert rule.template is not None
    found = Naming([rule]).identify(
        rule.template.format_map(values), scene="SQ01" if rule.asks else None
    )

    assert found.version == values["version"]
    for known, field in ((found.shot, "shot"), (found.project_code, "project")):
        wanted = values.get(field)
        assert known == (wanted if rule.case_sensitive or wanted is None else wanted.upper())
