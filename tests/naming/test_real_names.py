"""Every file name of the studio's volume and papers has an answer."""

from __future__ import annotations

import pytest

from postflow.errors import Skip
from postflow.naming import FINAL_VERSION, Naming

UNDLM = Naming.preset("undlm")

SHOTS = [
    *(f"SQ07_UNDLM_{n}_{v}.mov" for n in ("00146", "00148", "00150", "00161", "00163")
      for v in ("v001", "v002")),
    "SQ04_UNDLM_00094_v001.mov",
    "SQ07_UNDLM_00152_v001.mov",
    "SQ07_UNDLM_00152_v002.mov",
    "SQ07_UNDLM_00152_v003.mov",
    "SQ17_UNDLM_00304_v001.mov",
    "SQ17_UNDLM_00306_v001.mov",
    "SQ17_UNDLM_00306_v002.mov",
    "SQ17_UNDLM_00308_v001.mov",
    "SQ01_UNDLM_00001_v001.mov",
    "SQ01_UNDLM_00003_v001.mov",
    "SQ01_UNDLM_12345_v001.mp4",
    "SQ02_UNDLM_00015_v003.mp4",
    "SQ02_UNDLM_00042_v002.mp4",
    "SQ03_UNDLM_00025_v002.mp4",
    "SC01_UNDLM_00001_v001.mov",
    "SC01_UNDLM_00412_V001.mov",
    "SC01_UNDLM_00412_V002.mov",
    "SC01_UNDLM_00412_V003.mp4",
    "SC02_UNDLM_00413_V001.mov",
    "SC02_UNDLM_00414_V001.mov",
    "SC10_UNDLM_00523_V001.mp4",
    "SC01_UNDLM_99999_v001.mov",
]  # fmt: skip

WHOLE_SEQUENCES = [
    "SQ01_UNDLM_v001.mov",
    "SQ02_UNDLM_v001.mov",
    "SQ02_UNDLM_v003.mp4",
    "SQ03_UNDLM_v003.mp4",
    "SQ10_UNDLM_v015.avi",
]

PROJECT_FIRST = [
    "UNDLM_SEQ01_00001_v001.mov",
    "UNDLM_SEQ01_00042_v002.mp4",
    "UNDLM_INTRO_00001_v001.mov",
    "UNDLM_INTRO_00001_v002.mov",
    "UNDLM_INTRO_00042_v002.mp4",
    "UNDLM_ACTION_00010_v001.mov",
    "UNDLM_ACTION_00011_v001.mov",
    "UNDLM_OUTRO_00050_v001.mov",
    "UNDLM_OUTRO_01234_v015.avi",
]

WITHOUT_SEQUENCE = [
    *(f"UNDLM_00001_v{n:03d}.mov" for n in (*range(1, 16), 999)),
    "UNDLM_00510_v001.mov",
    "UNDLM_00516_v004.mov",
    "UNDLM_00042_v002.mp4",
    "UNDLM_01234_v015.avi",
    "UNDLM_00123_v003.mov",
    "UNDLM_00001_vDEF.mov",
]

# The name, and a word of the reason.
REFUSED = [
    ("SC01_UNDLM_00412_V001.prores", "extension"),
    ("SC01_UNDLM_00412_V001.r3d", "extension"),
    ("SC02_SHOTNAME_v002.mov", "project"),
    ("13H49_-_RECUPERATION_DES_2_SURVIVANTS_S01_V001.mov", "sequence"),
    ("2EME_MAYDAY_EXT_-_NUIT_AMERICAINE_S03_V005.mp4", "sequence"),
    ("DOUANE_MER_-_JOUR_S02_V001.prores", "sequence"),
    ("SCENE_BATAILLE_FINALE_S05_V003.r3d", "sequence"),
    ("SCENE_42_SHOT_001_V003.r3d", "sequence"),
    ("SCENE_1_SHOT_010_V001.braw", "sequence"),
    ("PROJ_00001_v001.mov", "sequence"),
    ("SHORT_0042_v02.mp4", "sequence"),
    ("FILM_123456_v1234.avi", "sequence"),
    ("UNDLM_00001_V01.mov", "version"),
    ("UNDLM_00402.mov", "version"),
    ("UNDLM_00510.mov", "version"),
    ("UNDLM_00001_draft.mov", "version"),
    ("UNDLM_00001_final.mov", "version"),
    ("UNDLM_00001_FINAL.mov", "version"),
    ("UNDLM_00001_master.mov", "version"),
    ("UNDLM_00001_graded.mov", "version"),
    ("UNDLM_00001_edit.mov", "version"),
    ("UNDLM_00001_test.avi", "version"),
    ("UNDL_001.mov", "sequence"),
    ("UNDLM_ABC.mov", "sequence"),
    ("UNDLM_123456.mov", "123456"),
    ("UNDLM_00001_draft_v2.mov", "version"),
    ("UNDLM_00001_v999_test.mov", "_test.mov"),
    ("UNDLM_67890_v002_final.mov", "_final.mov"),
    ("UNDLM_00001bis.mov", "00001bis"),
    ("UNDLM_00001_AVEC_POIGNEES.mov", "version"),
    ("SQ01_v001.mov", "project"),
    ("SQ01_vDEF.mov", "project"),
    ("SQXX_UNDLM_vDEF.mov", "sequence"),
    ("SQ03_PROJ_01234_v015.avi", "project"),
    ("SC01_UNDLM_INVALID.mov", "shot"),
    ("TEST_SC01_UNDLM_00412_V002.mov", "sequence"),
    ("PROJECT_ABC123_v001.mp4", "sequence"),
    ("mauvais_nom.mov", "sequence"),
    ("fichier_invalide.mov", "sequence"),
    ("random_name.mov", "sequence"),
    ("test_video.mp4", "sequence"),
    ("video_projet_001_final.mp4", "sequence"),
    ("TEST_DEFAUT_VIDEO.mp4", "sequence"),
    ("A209C804_250423GQ_CANON.mov", "sequence"),
    ("20250425_ALPHA7SIII1060.mov", "sequence"),
    ("LAU-001-1542.mov", "sequence"),
    ("temp_file.txt", "sequence"),
]


@pytest.mark.parametrize("name", SHOTS)
def test_shot_goes_to_its_sequence_and_shot(name: str) -> None:
    sequence, project, shot, rest = name.split("_")
    version = rest.split(".")[0]

    found = UNDLM.identify(name)

    assert found.folder == ("2_FROM_ANIM", sequence, f"{project}_{shot}")
    assert found.stack == f"{sequence}_{project}_{shot}"
    assert (found.project_code, found.sequence, found.shot) == (project, sequence, shot)
    assert (found.version, found.version_number) == (version, int(version[1:]))


@pytest.mark.parametrize("name", WHOLE_SEQUENCES)
def test_whole_sequence_goes_to_all(name: str) -> None:
    found = UNDLM.identify(name)

    assert found.folder == ("2_FROM_ANIM", name[:4], "_ALL")
    assert found.stack == f"{name[:4]}_UNDLM_ALL"
    assert found.shot is None


@pytest.mark.parametrize("name", PROJECT_FIRST)
def test_project_first_goes_to_its_sequence_and_shot(name: str) -> None:
    project, sequence, shot, _ = name.split("_")

    found = UNDLM.identify(name)

    assert found.folder == ("2_FROM_ANIM", sequence, f"{project}_{shot}")


def test_the_long_form_of_the_first_script_is_understood() -> None:
    found = UNDLM.identify("UNDLM_12345_SC01_SEQ_001_v1.mp4")

    assert found.folder == ("2_FROM_ANIM", "SC01", "UNDLM_12345")
    assert found.version_number == 1


@pytest.mark.parametrize("name", WITHOUT_SEQUENCE)
def test_name_without_sequence_asks_for_it(name: str) -> None:
    with pytest.raises(Skip) as refusal:
        UNDLM.identify(name)
    assert refusal.value.code == "name.incomplete"
    assert "sequence" in refusal.value.message
    assert "scene" in refusal.value.hint

    found = UNDLM.identify(name, scene="SQ07")
    assert found.folder == ("2_FROM_ANIM", "SQ07", name[:11])


@pytest.mark.parametrize(("name", "word"), REFUSED)
def test_other_names_are_refused_with_a_reason(name: str, word: str) -> None:
    with pytest.raises(Skip) as refusal:
        UNDLM.identify(name)
    assert refusal.value.code == "name.unknown"
    assert name in refusal.value.message
    assert word in refusal.value.message.replace(name, "")
    assert "looks like" in refusal.value.hint


def test_hidden_file_is_refused_even_by_hand() -> None:
    with pytest.raises(Skip, match="begins with a dot") as refusal:
        UNDLM.identify(".hidden_file.mov", scene="SQ01", shot="00001")
    assert refusal.value.code == "name.unsafe"


@pytest.mark.parametrize(
    ("final", "numbered"),
    [
        ("SQ07_UNDLM_00152_vDEF.mov", "SQ07_UNDLM_00152_v999.mov"),
        ("SQ02_UNDLM_vDEF.mov", "SQ02_UNDLM_v001.mp4"),
        ("SC01_UNDLM_00412_VDEF.mov", "SC01_UNDLM_00412_V002.mov"),
        ("UNDLM_INTRO_00001_vDEF.mov", "UNDLM_INTRO_00001_v001.mov"),
    ],
)
def test_final_goes_on_the_stack_of_its_shot_after_every_number(final: str, numbered: str) -> None:
    last, earlier = UNDLM.identify(final), UNDLM.identify(numbered)

    assert last.version_number == FINAL_VERSION
    assert (last.folder, last.stack) == (earlier.folder, earlier.stack)
    assert earlier.version_number is not None
    assert last.version_number > earlier.version_number


@pytest.mark.parametrize("ext", ["mov", "MP4", "Mxf", "avi", "MKV"])
def test_extension_may_be_in_any_case(ext: str) -> None:
    assert UNDLM.identify(f"SQ07_UNDLM_00152_v003.{ext}").shot == "00152"


@pytest.mark.parametrize(
    "name", ["SQ00_UNDLM_00152_v003.mov", "SQ07_UNDLM_00000_v003.mov", "SQ07_UNDLM_00152_v000.mov"]
)
def test_zero_is_no_sequence_shot_or_version(name: str) -> None:
    with pytest.raises(Skip):
        UNDLM.identify(name)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("SQ7_UNDLM_152_v3.mov", "SQ07_UNDLM_00152_v003.mov"),
        ("sq07-undlm-00152-V003.MOV", "SQ07_UNDLM_00152_v003.MOV"),
        ("SQ07 UNDLM 00152 v003.mov", "SQ07_UNDLM_00152_v003.mov"),
        ("SQ07_UNDLM_00152_v003_final.mov", "SQ07_UNDLM_00152_v003.mov"),
        ("SQ07_UNDLM_00152_v003.mov.part", "SQ07_UNDLM_00152_v003.mov"),
        ("TEST_SC01_UNDLM_00412_V002.mov", "SC01_UNDLM_00412_V002.mov"),
        ("SQ01_vDEF.mov", "SQ01_UNDLM_vDEF.mov"),
        ("SQ01_v001.mov", "SQ01_UNDLM_v001.mov"),
    ],
)
def test_nearest_right_name_is_guessed(wrong: str, right: str) -> None:
    assert UNDLM.explain(wrong).nearest == right
    with pytest.raises(Skip) as refusal:
        UNDLM.identify(wrong)
    assert right in refusal.value.hint
    UNDLM.identify(right)


@pytest.mark.parametrize("wrong", ["mauvais_nom.mov", "A209C804_250423GQ_CANON.mov", "x", "SQ07"])
def test_nothing_is_guessed_where_nothing_resembles(wrong: str) -> None:
    assert UNDLM.explain(wrong).nearest is None


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("SQ07_UNDLM_00152_v003.mov", "WIP_BYSHOT/SQ07/UNDLM_00152"),
        ("SQ02_UNDLM_v001.mov", "WIP_BYSHOT/SQ02/_ALL"),
        ("UNDLM_INTRO_00001_v001.mov", "WIP_BYSHOT/SC01_SEQ_INTRO/UNDLM_00001"),
        ("UNDLM_ACTION_00010_v001.mov", "WIP_BYSHOT/SC02_SEQ_ACTION/UNDLM_00010"),
        ("UNDLM_OUTRO_00099_v001.mov", "WIP_BYSHOT/SC03_SEQ_OUTRO/UNDLM_00099"),
        ("UNDLM_SEQ01_00042_v002.mp4", "WIP_BYSHOT/SEQ01/UNDLM_00042"),
    ],
)
def test_the_other_layout_is_by_shot(name: str, folder: str) -> None:
    assert "/".join(Naming.preset("wip_byshot").identify(name).folder) == folder


@pytest.mark.parametrize(
    ("preset", "name", "folder", "stack"),
    [
        (
            "netflix",
            "AGM_104_TCC_0010_comp_NFX_v001.mov",
            "104/TCC/TCC_0010",
            "AGM_104_TCC_0010_comp_NFX",
        ),
        ("generic", "FILM_SQ010_SH0100_v003.mov", "SQ010/SH0100", "FILM_SQ010_SH0100"),
        ("generic", "sq010_sh0100_V3.mov", "SQ010/SH0100", "SQ010_SH0100"),
        ("generic", "SCENE_42_SHOT_001_V003.mov", "SCENE_42/SHOT_001", "SCENE_42_SHOT_001"),
    ],
)
def test_other_presets(preset: str, name: str, folder: str, stack: str) -> None:
    found = Naming.preset(preset).identify(name)

    assert ("/".join(found.folder), found.stack) == (folder, stack)
