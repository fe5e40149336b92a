"""Clips, what was meant for one, and other things; by name alone."""

from __future__ import annotations

import pytest
from hypothesis import given

from postflow.media.kinds import ending, is_candidate, meant, refusal
from postflow.models import is_clip
from tests.support.texts import texts

STEM = "SQ07_UNDLM_00152_v003"


@pytest.mark.parametrize(
    "name",
    [
        f"{STEM}{odd}"
        for odd in (
            *(".mov ", ".mov.", ".mov..", ".mov . ", ".MOV\u00a0", ".mov\n", ".mov\u200b"),
            *(".mov\uf028", ".mov\uf029", ".MOV\uf020", "\uf02e.mov\uf02e"),
            *(". mov", " .mov ", ",mov", " mov", "_mov", "..mov.", ".\uff4d\uff4f\uff56", '.mov"'),
            *("", " ", ".", ".mvo", ".movv", ".mo", ".m\u03bfv", ".\u043cov "),
            *(".mov.bak", ".mov.old", ".mov.1", ".mov copy", ".mov (1)", ".MOV;1", ".mov_old"),
        )
    ],
)
def test_what_was_meant_for_a_clip_gets_a_name_that_is_one(name: str) -> None:
    right = meant(name)
    assert right is not None
    assert right.lower() == f"{STEM}.mov".lower()
    why = refusal(name)
    assert why is not None
    assert why.code == "file.extension"
    assert f"Rename it to {right} if it is a clip" in why.hint
    assert why.message.isprintable()


@pytest.mark.parametrize(
    ("ending", "right"),
    [
        (".mpp4", ".mp4"),
        (".m4", ".mp4"),
        (".mvk", ".mkv"),
        (".mfx", ".mxf"),
        (".mov.mov ", ".mov.mov"),
        (".mxf.MXF.", ".mxf.MXF"),
    ],
)
def test_it_is_to_be_called_what_it_nearly_is(ending: str, right: str) -> None:
    assert meant(f"{STEM}{ending}") == f"{STEM}{right}"


@pytest.mark.parametrize(
    "kind", ["mp4v", "mpeg4", "264", "m4v", "webm", "mts", "M2TS", "mpg", "wmv", "ts"]
)
def test_another_container_is_to_be_exported_anew(kind: str) -> None:
    name = f"{STEM}.{kind}"
    why = refusal(name)
    assert is_candidate(name)
    assert why is not None
    assert "Export it anew as one of .mov .mp4 .mxf .avi .mkv" in why.hint


@pytest.mark.parametrize(
    "name",
    [
        *(f"{STEM}.{other}" for other in ("wav", "jpg", "pdf", "exr", "braw", "R3D", "mov.xmp")),
        *(f"{STEM}.{other}" for other in ("mov.md5", "mov.jpg", "mov.srt", "mov-thumb.jpg")),
        *("README", "Makefile", "LICENSE", "final", "mov", "notes.txt", "edit.prproj", "a.mp3"),
    ],
)
def test_other_things_are_nobodys_clip(name: str) -> None:
    assert not is_candidate(name)


@pytest.mark.parametrize("name", [f"{STEM}.mov", "x.MXF", "ü.mkv", ".mov", "a.mp4.mov"])
def test_a_clip_is_a_clip(name: str) -> None:
    assert is_candidate(name)
    assert refusal(name) is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.WAV", ".wav"), ("README", "without ending"), ("a.b\u202ec", "without ending")],
)
def test_others_are_counted_by_their_ending(name: str, kind: str) -> None:
    assert ending(name) == kind


@given(texts(40))
def test_any_name_is_one_of_the_three(name: str) -> None:
    """And whoever is told of one can read it."""
    why = refusal(name)
    assert (why is None) == is_clip(name)
    assert is_clip(name) <= is_candidate(name)
    assert why is None or why.message.isprintable()
