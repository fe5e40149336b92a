"""The clips the demo delivers: seconds of H.264 and AAC, made by make.sh."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent


def clip_path() -> Path:
    """A shipped clip. Copy it under the name it should travel by."""
    return HERE / "SQ07_UNDLM_00152_v003.mov"


def other_clip_path() -> Path:
    """One of another shot."""
    return HERE / "SQ07_UNDLM_00153_v001.mov"


def exported_again_path() -> Path:
    """The first once more, with another picture, as of a later export."""
    return HERE / "SQ07_UNDLM_00152_v003-again.mov"
