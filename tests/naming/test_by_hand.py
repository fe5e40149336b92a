"""Scene and shot given by hand win over the name, and make any safe name deliverable."""

from __future__ import annotations

import pytest

from postflow.errors import Skip
from postflow.naming import Naming

UNDLM = Naming.preset()


@pytest.mark.parametrize(
    ("name", "scene", "shot", "folder"),
    [
        ("SQ07_UNDLM_00152_v003.mov", "SQ08", None, "2_FROM_ANIM/SQ08/UNDLM_00152"),
        ("SQ07_UNDLM_00152_v003.mov", None, "00153", "2_FROM_ANIM/SQ07/UNDLM_00153"),
        ("SQ07_UNDLM_00152_v003.mov", None, "UNDLM_00153", "2_FROM_ANIM/SQ07/UNDLM_00153"),
        ("SQ02_UNDLM_v001.mov", "SQ03", None, "2_FROM_ANIM/SQ03/_ALL"),
        ("SQ02_UNDLM_v001.mov", None, "UNDLM_00010", "2_FROM_ANIM/SQ02/UNDLM_00010"),
        ("mauvais_nom.mov", "SC01", "UNDLM_00412", "2_FROM_ANIM/SC01/UNDLM_00412"),
        ("mauvais_nom.mov", "SC01", None, "2_FROM_ANIM/SC01"),
        ("final.mov", "SQ07", "00152", "2_FROM_ANIM/SQ07/UNDLM_00152"),
        ("final.mov", "SQ07", "152", "2_FROM_ANIM/SQ07/UNDLM_00152"),
        ("final.mov", "sq7", "UNDLM_152", "2_FROM_ANIM/SQ07/UNDLM_00152"),
        ("final.mov", "INTRO", "1", "2_FROM_ANIM/INTRO/UNDLM_00001"),
        ("final.mov", "SQ07", None, "2_FROM_ANIM/SQ07/_ALL"),
        ("UNDLM_00001_v001.mov", "SQ07", "2", "2_FROM_ANIM/SQ07/UNDLM_00002"),
        ("SQ07_UNDLM_00152_v003.mov", "SC01", None, "2_FROM_ANIM/SC01/UNDLM_00152"),
        ("Réveil à l'hôpital.mov", "SQ01", "00001", "2_FROM_ANIM/SQ01/UNDLM_00001"),
    ],
)
def test_given_scene_and_shot_decide_the_folder(
    name: str, scene: str | None, shot: str | None, folder: str
) -> None:
    assert "/".join(UNDLM.identify(name, scene=scene, shot=shot).folder) == folder


@pytest.mark.parametrize(
    ("scene", "shot", "told"),
    [
        ("7", "152", "“7” is no sequence such as “SQ07”"),
        ("SQ07", "152x", "“152x” is no shot such as “00152”"),
        ("SQ07", "OTHER_00152", "“OTHER_00152” is no shot such as “00152”"),
        ("SQ07", "00000", "“00000” is no shot such as “00152”"),
        ("SQ\u0660\u0667", "00152", "is no sequence such as “SQ07”"),
        ("RÉVEIL", None, "“RÉVEIL” is no sequence such as “SQ07”"),
    ],
)
@pytest.mark.parametrize("name", ["final.mov", "SQ07_UNDLM_00152_v003.mov"])
def test_values_that_no_rule_knows_are_refused_with_an_example(
    name: str, scene: str, shot: str | None, told: str
) -> None:
    with pytest.raises(Skip) as refusal:
        UNDLM.identify(name, scene=scene, shot=shot)
    assert refusal.value.code == "name.folder"
    assert told in refusal.value.message
    assert "scene SQ07, shot 00152" in refusal.value.hint


def test_a_shot_without_its_sequence_is_nowhere() -> None:
    with pytest.raises(Skip, match="without its sequence") as refusal:
        UNDLM.identify("final.mov", shot="00152")
    assert refusal.value.code == "name.incomplete"
    assert "scene SQ07, shot 00152" in refusal.value.hint


@pytest.mark.parametrize(
    ("preset", "name", "scene", "shot", "folder"),
    [
        ("wip_byshot", "final.mov", "INTRO", "1", "WIP_BYSHOT/SC01_SEQ_INTRO/UNDLM_00001"),
        ("wip_byshot", "final.mov", "SC01_SEQ_INTRO", "1", "WIP_BYSHOT/SC01_SEQ_INTRO/UNDLM_00001"),
        ("generic", "final.mov", "sq010", "sh0100", "SQ010/SH0100"),
        ("netflix", "AGM_104_TCC_0010_comp_NFX_v001.mov", None, "20", "104/TCC/TCC_0020"),
        ("netflix", "AGM_104_TCC_0010_comp_NFX_v001.mov", None, "TCD_0020", "104/TCD/TCD_0020"),
    ],
)
def test_each_set_of_rules_files_by_its_own_template(
    preset: str, name: str, scene: str | None, shot: str, folder: str
) -> None:
    assert "/".join(Naming.preset(preset).identify(name, scene=scene, shot=shot).folder) == folder


def test_what_only_a_name_can_say_is_asked_for() -> None:
    with pytest.raises(Skip, match="without its episode") as refusal:
        Naming.preset("netflix").identify("final.mov", scene="TCC", shot="0010")
    assert "Name the file as the rule has it" in refusal.value.hint
    assert "AGM_104_TCC_0010_comp_NFX_v001.mov" in refusal.value.hint
    assert "scene SQ" not in refusal.value.hint, "no option says the episode"


@pytest.mark.parametrize(("scene", "shot"), [(None, "00153"), ("7", "152")])
def test_the_example_says_also_what_the_names_of_the_rule_leave_out(
    scene: str | None, shot: str
) -> None:
    with pytest.raises(Skip) as refusal:
        UNDLM.identify("UNDLM_00001_v001.mov", scene=scene, shot=shot)
    assert "scene SQ07, shot 00001" in refusal.value.hint


def test_given_parts_change_the_stack_too() -> None:
    found = UNDLM.identify("SQ07_UNDLM_00152_v003.mov", scene="SQ08", shot="00153")

    assert (found.sequence, found.shot, found.version) == ("SQ08", "00153", "v003")
    assert found.stack == "SQ08_UNDLM_00153"


@pytest.mark.parametrize(
    ("name", "stack", "version", "number"),
    [
        ("UNDLM_00001_v999_test.mov", "UNDLM_00001_v999_test", None, None),
        ("my clip v12.mov", "my clip", "v12", 12),
        ("montage_vDEF.mov", "montage", "vDEF", 1_000_000_000),
        ("v001.mov", "v001", None, None),
    ],
)
def test_unknown_name_stacks_with_its_own_versions_only(
    name: str, stack: str, version: str | None, number: int | None
) -> None:
    found = UNDLM.identify(name, scene="SQ01")

    assert (found.stack, found.version, found.version_number) == (stack, version, number)
    assert found.rule == "by hand"


@pytest.mark.parametrize("part", ["..", ".", "a/b", "a\\b", "a\nb", "\x00", "x" * 256, " ", "‮txt"])
def test_given_parts_must_be_safe_folder_names(part: str) -> None:
    with pytest.raises(Skip) as refusal:
        UNDLM.identify("SQ07_UNDLM_00152_v003.mov", scene=part)
    assert refusal.value.code == "name.folder"


def test_titles_name_the_folder_of_a_given_scene() -> None:
    found = Naming.preset("wip_byshot").identify("UNDLM_SEQ01_00001_v001.mov", scene="INTRO")

    assert found.folder == ("WIP_BYSHOT", "SC01_SEQ_INTRO", "UNDLM_00001")
