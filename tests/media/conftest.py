"""The corpus."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.media.clips import FORMATS, PECULIAR, make, why_no_ffmpeg


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The clip of a name in FORMATS or PECULIAR. Not to be changed; see `copy`."""
    reason = why_no_ffmpeg()
    if reason is not None and not os.environ.get("CI"):
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("clips")
    recipes = FORMATS | PECULIAR

    def of_name(name: str) -> Path:
        path = folder / name
        return path if path.exists() else make(folder, name, recipes[name])

    return of_name


@pytest.fixture
def copy(clip: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a clip that may be damaged."""

    def of_name(name: str) -> Path:
        path = tmp_path / name
        path.write_bytes(clip(name).read_bytes())
        return path

    return of_name
