"""The clip the demo delivers: four seconds of H.264 and AAC, made by make.sh."""

from __future__ import annotations

from pathlib import Path


def clip_path() -> Path:
    """The shipped clip. Copy it under the name it should travel by."""
    return Path(__file__).with_name("SQ07_UNDLM_00152_v003.mov")
