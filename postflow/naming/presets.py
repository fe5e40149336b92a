"""The sets of rules that come with PostFlow."""

from __future__ import annotations

from typing import Any

from .rules import NameRule

_FINAL_OR_NUMBERED = r"v(?!000)\d{3}|vDEF"
_PROJECT_AND_VERSION = {"project": "UNDLM", "version": _FINAL_OR_NUMBERED}
_SHOT_AND_VERSION = {**_PROJECT_AND_VERSION, "shot": r"(?!00000)\d{5}"}
_BY_SEQUENCE_AND_SHOT: dict[str, Any] = {
    "folder": "2_FROM_ANIM/{sequence}/{project}_{shot}",
    "stack": "{sequence}_{project}_{shot}",
}

UNDLM_RULES = (
    NameRule(
        name="shot",
        template="{sequence}_{project}_{shot}_{version}.{ext}",
        fields={**_SHOT_AND_VERSION, "sequence": r"SQ(?!00)\d{2}"},
        examples=("SQ07_UNDLM_00152_v003.mov", "SQ07_UNDLM_00152_vDEF.MOV"),
        **_BY_SEQUENCE_AND_SHOT,
    ),
    NameRule(
        name="whole sequence",
        template="{sequence}_{project}_{version}.{ext}",
        fields={**_PROJECT_AND_VERSION, "sequence": r"SQ(?!00)\d{2}"},
        folder="2_FROM_ANIM/{sequence}/_ALL",
        stack="{sequence}_{project}_ALL",
        examples=("SQ02_UNDLM_v001.mov", "SQ02_UNDLM_vDEF.mov"),
    ),
    NameRule(
        name="scene and shot",
        template="{sequence}_{project}_{shot}_{version}.{ext}",
        fields={
            **_SHOT_AND_VERSION,
            "sequence": r"SC(?!00)\d{2}",
            "version": r"[vV](?!000)\d{3}|[vV]DEF",
        },
        examples=("SC01_UNDLM_00412_V002.mov", "SC01_UNDLM_00001_v001.mov"),
        **_BY_SEQUENCE_AND_SHOT,
    ),
    NameRule(
        name="project first",
        template="{project}_{sequence}_{shot}_{version}.{ext}",
        fields={**_SHOT_AND_VERSION, "sequence": r"SEQ(?!00)\d{2}|INTRO|ACTION|OUTRO"},
        examples=("UNDLM_SEQ01_00042_v002.mp4", "UNDLM_INTRO_00001_v001.mov"),
        **_BY_SEQUENCE_AND_SHOT,
    ),
    NameRule(
        name="shot without sequence",
        template="{project}_{shot}_{version}.{ext}",
        fields=_SHOT_AND_VERSION,
        asks=("sequence",),
        examples=("UNDLM_00001_v001.mov",),
        **_BY_SEQUENCE_AND_SHOT,
    ),
    NameRule(
        name="long form",
        template="{project}_{shot}_{sequence}_SEQ_{cut}_{version}.{ext}",
        fields={
            **_SHOT_AND_VERSION,
            "sequence": r"SC(?!00)\d{2}",
            "cut": r"\d{3}",
            "version": r"v(?=\d{0,2}[1-9])\d{1,3}|vDEF",
        },
        examples=("UNDLM_12345_SC01_SEQ_001_v1.mp4",),
        **_BY_SEQUENCE_AND_SHOT,
    ),
)
"""The feature film UNDLM: the families of names on its volume."""

NETFLIX_RULES = (
    NameRule(
        name="vfx shot",
        template="{project}_{episode}_{sequence}_{shot}_{task}_{vendor}_{version}.{ext}",
        fields={
            "project": "[A-Z][A-Z0-9]{1,7}",
            "episode": r"\d{3}",
            "sequence": "[A-Z][A-Z0-9]{1,7}",
            "shot": r"\d{4}",
            "task": "[a-z][a-z0-9]{1,15}",
            "vendor": "[A-Z][A-Z0-9]{1,7}",
            "version": r"v\d{3}",
        },
        folder="{episode}/{sequence}/{sequence}_{shot}",
        stack="{project}_{episode}_{sequence}_{shot}_{task}_{vendor}",
        examples=("AGM_104_TCC_0010_comp_NFX_v001.mov",),
    ),
)

_GENERIC_FIELDS = {
    "sequence": r"(?:SQ|SC|SEQ|SCENE_)\d{1,4}",
    "shot": r"(?:SH|SHOT_|S)?\d{2,6}",
    "version": r"v\d{1,4}|vDEF",
}

_EPISODE = r"(?:EP|EPISODE_?|E)\d{1,4}|S\d{1,2}E\d{1,3}"
_PROJECT = "[A-Z][A-Z0-9]{1,9}"

GENERIC_RULES = (
    NameRule(
        name="sequence and shot",
        template="{sequence}_{shot}_{version}.{ext}",
        fields=_GENERIC_FIELDS,
        folder="{sequence}/{shot}",
        stack="{sequence}_{shot}",
        case_sensitive=False,
        examples=("SQ010_SH0100_v003.mov", "SCENE_42_SHOT_001_V003.mov"),
    ),
    NameRule(
        name="episode, sequence and shot",
        template="{episode}_{sequence}_{shot}_{version}.{ext}",
        fields={"episode": _EPISODE, **_GENERIC_FIELDS},
        folder="{episode}/{sequence}/{shot}",
        stack="{episode}_{sequence}_{shot}",
        case_sensitive=False,
        examples=("EP101_SQ010_SH0100_v003.mov", "S01E02_SQ010_SH0100_v003.mov"),
    ),
    NameRule(
        name="project, episode, sequence and shot",
        template="{project}_{episode}_{sequence}_{shot}_{version}.{ext}",
        fields={"project": _PROJECT, "episode": _EPISODE, **_GENERIC_FIELDS},
        folder="{episode}/{sequence}/{shot}",
        stack="{project}_{episode}_{sequence}_{shot}",
        case_sensitive=False,
        examples=("SHOW_EP101_SQ010_SH0100_v003.mov",),
    ),
    NameRule(
        name="project, sequence and shot",
        template="{project}_{sequence}_{shot}_{version}.{ext}",
        fields={"project": _PROJECT, **_GENERIC_FIELDS},
        folder="{sequence}/{shot}",
        stack="{project}_{sequence}_{shot}",
        case_sensitive=False,
        rank=1,
        examples=("FILM_SQ010_SH0100_v003.mov",),
    ),
)

_TITLES = {"INTRO": "SC01_SEQ_INTRO", "ACTION": "SC02_SEQ_ACTION", "OUTRO": "SC03_SEQ_OUTRO"}


def _by_shot(rules: tuple[NameRule, ...]) -> tuple[NameRule, ...]:
    """The same names below another root, where sequences in words have titles."""
    return tuple(
        rule.model_copy(
            update={
                "folder": rule.folder.replace("2_FROM_ANIM", "WIP_BYSHOT", 1),
                "titles": _TITLES,
            }
        )
        for rule in rules
    )


PRESETS: dict[str, tuple[NameRule, ...]] = {
    "undlm": UNDLM_RULES,
    "wip_byshot": _by_shot(UNDLM_RULES),
    "netflix": NETFLIX_RULES,
    "generic": GENERIC_RULES,
}
