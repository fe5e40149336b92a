"""docs/naming.md says what is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from postflow.errors import Skip
from postflow.naming import PRESETS, Naming

PAGE = Path(__file__, "../../../docs/naming.md").resolve().read_text(encoding="utf-8")
TABLE = PAGE.split("### What `undlm` makes")[1].split("\n## ")[0]
ANSWERS = re.findall(r"^\| `([^`]+)` \| (.+) \|$", TABLE, re.MULTILINE)
UNDLM = Naming.preset()


def test_the_table_is_found() -> None:
    assert len(ANSWERS) > 25


@pytest.mark.parametrize(("name", "answer"), ANSWERS)
def test_answer_in_the_table_is_given(name: str, answer: str) -> None:
    told = UNDLM.explain(name)
    quoted = re.findall(r"`([^`]+)`", answer)

    if answer.startswith("`"):
        assert told.shot is not None
        assert "/".join(told.shot.folder) == quoted[0]
    elif answer.startswith("asks"):
        assert told.code == "name.incomplete"
        by_hand = UNDLM.identify(name, scene=quoted[0].removeprefix("--scene "))
        assert "/".join(by_hand.folder) == quoted[1]
    else:
        assert answer.startswith("refused")
        assert told.shot is None
    if answer.endswith("is proposed"):
        assert told.nearest == quoted[-1]


def test_every_shipped_set_is_listed_with_a_name_it_reads() -> None:
    table = PAGE.split("## The rules that are shipped")[1].split("###")[0]
    rows = re.findall(r"^\| `(\w+)`[^|]*\| ([^|]+) \| ([^|]+) \|$", table, re.MULTILINE)

    assert [row[0] for row in rows] == list(PRESETS)
    for preset, names, folders in rows:
        for name in re.findall(r"`([^`]+)`", names) or ["SQ07_UNDLM_00152_v003.mov"]:
            folder = "/".join(Naming.preset(preset).identify(name).folder)
            assert f"`{folder}`" in folders


def test_the_shown_refusal_is_the_real_one() -> None:
    with pytest.raises(Skip) as refusal:
        UNDLM.identify("SQ07_UNDLM_152_v003.mov")

    assert f"✗ {refusal.value.message}\n  → {refusal.value.hint}\n" in PAGE


def test_the_example_rule_loads() -> None:
    (text,) = re.findall(r"```toml\n(.+?)```", PAGE, re.DOTALL)
    naming = Naming(tomllib.loads(text)["studio"]["rules"])

    found = naming.identify("TEASER_SQ01_0010_vDEF.mov")
    assert found.folder == ("DAILIES", "SQ01", "TEASER_0010")


def test_a_printed_preset_loads_again() -> None:
    printed = [rule.model_dump(mode="json", exclude_defaults=True) for rule in PRESETS["undlm"]]

    assert Naming(printed).rules == PRESETS["undlm"]
