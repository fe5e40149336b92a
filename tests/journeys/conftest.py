"""A studio in the sandbox, and clips to deliver."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from postflow.cli.sandbox_studio import sandbox_studio
from postflow.patience import Patience
from sandbox import Sandbox
from sandbox.clips import clip_path

QUICK = {"poll": 0.1, "stall": 20.0, "total": 90.0}

MakeClip = Callable[..., Path]


@pytest.fixture
async def studio(prefect_api: str, world: Sandbox) -> AsyncIterator[str]:
    """The name of a studio whose world is the sandbox."""
    from blocks.setup import StudioFile, save_studio

    file = StudioFile.model_validate(sandbox_studio(world.describe()))
    section = file.studio.model_copy(update={"patience": Patience(**QUICK)})
    await save_studio(file.model_copy(update={"studio": section}))
    yield file.studio.name


@pytest.fixture
def make_clip(tmp_path: Path) -> MakeClip:
    """Put a real clip on disk under any name, `extra` bytes longer than the shipped one."""

    def make(name: str = "SQ07_UNDLM_00152_v003.mov", *, extra: int = 0) -> Path:
        path = tmp_path / "watch" / name
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(clip_path(), path)
        if extra:
            with path.open("ab") as file:
                file.write(b"\0\0\0\x08free" * (extra // 8))
        return path

    return make
