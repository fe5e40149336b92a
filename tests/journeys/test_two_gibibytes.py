"""A large clip by the whole journey, in next to no memory."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from postflow.sandbox import Sandbox
from postflow.sandbox.clips import clip_path
from tests.journeys.commands import answer, postflow
from tests.journeys.proof import the_asset

BLOCK = 1 << 20
LIMIT = 250 << 20


@pytest.fixture
def large_clip(tmp_path: Path, size: int) -> Iterator[Path]:
    """No two blocks alike, no holes."""
    path = tmp_path / "SQ07_UNDLM_00152_v003.mov"
    block = random.Random(6).randbytes(BLOCK - 8)
    with path.open("wb") as file:
        for number in range(size // BLOCK):
            file.write(number.to_bytes(8, "big"))
            file.write(block)
        head = clip_path().read_bytes()
        file.seek(0)
        file.write(head + (1).to_bytes(4, "big") + b"mdat" + (size - len(head)).to_bytes(8, "big"))
    yield path
    path.unlink()


@pytest.mark.prefect
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads VmHWM from Linux's /proc")
@pytest.mark.parametrize(
    "size",
    [
        pytest.param(256 << 20, id="256 MiB"),
        pytest.param(2 << 30, id="2 GiB", marks=pytest.mark.soak),
    ],
)
async def test_a_large_clip_travels_whole_in_little_memory(
    loopback_studio: str, world: Sandbox, large_clip: Path, size: int
) -> None:
    process = await postflow("upload", large_clip, "--studio", loopback_studio, "--json")
    told, peak = await asyncio.gather(answer(process), _peak(process))
    asset = await asyncio.to_thread(the_asset, world, large_clip)
    assert (asset["size"], asset["id"]) == (size, told[0]["file_id"])
    assert BLOCK < peak < LIMIT


async def _peak(process: asyncio.subprocess.Process) -> int:
    """The most memory it ever held, in bytes; asked until it ends."""
    peak = 0
    while process.returncode is None:
        peak = max(peak, _high_water(process.pid))
        await asyncio.sleep(0.05)
    return peak


def _high_water(pid: int) -> int:
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) << 10 if found else 0
    return 0
