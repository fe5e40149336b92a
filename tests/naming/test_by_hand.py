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
        ("mauvais_nom.mov", None, "UNDLM_00412", "2_FROM_ANIM/UNDLM_00412"),
        ("Réveil à l'hôpital.mov", "RÉVEIL", "S01", "2_FROM_ANIM/RÉVEIL/S01"),
    ],
)
def test_given_scene_and_shot_decide_the_folder(
    name: str, scene: str | None, shot: str | None, folder: str
) -> None:
    assert "/".join(UNDLM.identify(name, scene=scene, shot=shot).folder) == folder


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
