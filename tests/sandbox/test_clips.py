"""The shipped clip is what the demo needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from postflow.naming import Naming
from postflow.sandbox.clips import clip_path, exported_again_path, other_clip_path


@pytest.mark.parametrize(
    "path", [clip_path(), other_clip_path(), exported_again_path()], ids=lambda path: path.name
)
def test_clip_is_small_and_a_browser_can_play_it_as_it_comes(path: Path) -> None:
    """H.264 and AAC in a MOV whose index comes before its pictures."""
    clip = path.read_bytes()

    assert len(clip) < 300_000
    assert clip[4:12] == b"ftypqt  "
    assert b"avc1" in clip
    assert b"mp4a" in clip
    assert clip.index(b"moov") < clip.index(b"mdat")


def test_clip_is_named_as_a_studio_would() -> None:
    assert Naming.preset().identify(clip_path().name).version_number == 3
