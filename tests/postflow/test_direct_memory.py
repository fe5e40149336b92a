"""However large a clip is, sending it takes the same little memory."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import certifi
import pytest

from benchmarks.direct import MEMORY_GOAL, MIB, OURS, python, sink


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux only")
def test_two_gibibytes_are_sent_in_little_memory(tmp_path: Path) -> None:
    clip = tmp_path / "SQ07_UNDLM_00152_v003.mov"
    clip.touch()
    os.truncate(clip, 2048 * MIB)
    with sink(None) as url:
        run = python(OURS, sys.executable, clip, url, Path(certifi.where()))()
    assert run.grown < MEMORY_GOAL
