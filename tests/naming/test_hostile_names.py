"""Names written to break something, or to keep the matcher busy."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given, settings

from postflow.errors import Skip
from postflow.naming import PRESETS, NameRule, Naming
from tests.support.texts import texts

PRESET_NAMINGS = {name: Naming.preset(name) for name in PRESETS}


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "..",
        "/etc/passwd",
        "../SQ07_UNDLM_00152_v003.mov",
        "SQ07\\UNDLM_00152_v003.mov",
        "SQ07_UNDLM_00152_v003.mov\n",
        "SQ07_UNDLM_00152_v003\r.mov",
        "SQ07_UNDLM_00152_v003.mov\x00",
        "SQ07_UNDLM_00152_v003\u2028.mov",
        "\u202eSQ07_UNDLM_00152_v003.mov",
        "SQ07_UNDLM_00152_v003\udcff.mov",
        "._SQ07_UNDLM_00152_v003.mov",
        "é" * 128 + ".mov",
        "x" * 252 + ".mov",
    ],
    ids=ascii,
)
def test_unsafe_names_are_refused_also_by_hand(name: str) -> None:
    with pytest.raises(Skip) as refusal:
        PRESET_NAMINGS["undlm"].identify(name, scene="SQ07", shot="00152")
    assert refusal.value.code == "name.unsafe"
    assert refusal.value.message.isprintable()
    refusal.value.message.encode()


@pytest.mark.parametrize(
    "name",
    [
        "SQ0\u0667_UNDLM_00152_v003.mov",
        "SQ07_UNDLM_\u0660\u0660\u0661\u0665\u0662_v003.mov",
        "\u017fQ07_UNDLM_00152_v003.mov",
        "\u017fQ010_SH0100_v003.mov",
        "SQ010_SH0100_v00\u0663.mov",
    ],
    ids=["arabic sequence", "arabic shot", "long s", "long s, any case", "arabic version"],
)
@pytest.mark.parametrize("preset", PRESETS)
def test_lookalikes_from_other_alphabets_match_nothing(name: str, preset: str) -> None:
    with pytest.raises(Skip, match="written without") as refusal:
        PRESET_NAMINGS[preset].identify(name)
    assert refusal.value.code == "name.unknown"


def test_decomposed_accents_are_composed() -> None:
    name = unicodedata.normalize("NFD", "Réveil.mov")

    found = PRESET_NAMINGS["undlm"].identify(name, scene="SQ07")

    assert found.file_name == "Réveil.mov"
    assert found.stack == "Réveil"


@given(texts(300))
@settings(max_examples=400, deadline=None)
def test_any_text_gets_a_shot_or_a_printable_reason(name: str) -> None:
    for naming in PRESET_NAMINGS.values():
        told = naming.explain(name)
        assert (told.shot is None) != (told.problem is None)
        if told.problem:
            assert told.problem.isprintable()
            assert told.hint


@given(texts(120), texts(60), texts(60))
@settings(max_examples=400, deadline=None)
def test_folders_are_always_safe(name: str, scene: str, shot: str) -> None:
    try:
        found = PRESET_NAMINGS["undlm"].identify(name, scene=scene, shot=shot)
    except Skip:
        return
    for part in (*found.folder, found.stack):
        assert part.strip() == part != ""
        assert not part.startswith(".")
        assert not set(part) & set("/\\\0\n\r")
        assert len(part.encode()) <= 255


HOSTILE = [
    "_" * 255,
    "_" * 37 + "_K_v001.mo",
    "A" * 255,
    "A_" * 127,
    "SQ07_" * 51,
    "UNDLM_" * 42,
    "SQ07_UNDLM_00152_v003.mov" * 10,
    "SQ1_UNDLM_1_v1_SQ2_UNDLM_2_v2_x.mov",
    "1_" * 11 + "1",
    "AGM_104_TCC_0010_comp_NFX_v" + "0" * 200,
    "é" * 127,
]

# Fields that can swallow their own separators.
FREE_RULES = [
    NameRule(
        name=f"free {letter}",
        template="{one}_{two}_" + letter + "_{version}.{ext}",
        fields={"one": "[A-Z_]{1,30}", "two": "[A-Z_]{1,6}", "version": r"v\d{3}"},
        folder="{one}/{two}",
        stack="{one}_{two}",
        examples=(f"AA_BB_{letter}_v001.mov",),
    )
    for letter in "KLMN"
]


@pytest.mark.parametrize("naming", [*PRESET_NAMINGS.values(), Naming(FREE_RULES)])
def test_hostile_names_are_answered_as_fast_as_a_short_count(naming: Naming) -> None:
    """No absolute time: the yardstick is counting to 300,000, some 10 ms on the first machine."""
    yardstick = _best(lambda: sum(1 for _ in range(300_000)))
    slowest = max(_best(partial(naming.explain, name)) for name in HOSTILE)

    assert slowest < yardstick


def _best(work: Callable[[], object]) -> float:
    def once() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return min(once() for _ in range(5))
