"""Two gibibytes through the outlet, in next to no memory."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox.fetching import pull

SIZE = 2 << 30
BLOCK = 1 << 20
LIMIT = 250 << 20

EXPOSE = """
import asyncio, json, re, sys
from pathlib import Path
from postflow.media import look_at
from postflow.outlet import Outlet
from postflow.outlet.loopback import LoopbackProvider

def tell(**facts):
    print(json.dumps(facts), flush=True)

async def main():
    outlet = Outlet(LoopbackProvider())
    async with outlet.expose(await look_at(Path(sys.argv[1]))) as exposure:
        tell(url=exposure.url.get_secret_value())
        await asyncio.to_thread(sys.stdin.read)
        served = await outlet.settled(exposure)
    status = Path("/proc/self/status").read_text()
    tell(peak=int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) << 10, **served.model_dump())

asyncio.run(main())
"""


@pytest.fixture
def two_gibibytes(tmp_path: Path) -> Iterator[Path]:
    """No two blocks alike, no holes."""
    path = tmp_path / "SQ07_UNDLM_00152_v003.mov"
    block = random.Random(6).randbytes(BLOCK - 8)
    with path.open("wb") as file:
        for number in range(SIZE // BLOCK):
            file.write(number.to_bytes(8, "big"))
            file.write(block)
    yield path
    path.unlink()


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@asynccontextmanager
async def exposing(path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of its own that exposes `path` until its input ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", EXPOSE, str(path), stdin=PIPE, stdout=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads VmHWM from Linux's /proc")
async def test_two_gibibytes_are_served_whole_in_little_memory(
    two_gibibytes: Path, tmp_path: Path
) -> None:
    async with exposing(two_gibibytes) as process:
        assert process.stdout
        url = json.loads(await process.stdout.readline())["url"]
        pulled, expected = await asyncio.gather(
            pull(url, tmp_path / "pulled", "ranges"), asyncio.to_thread(sha256, two_gibibytes)
        )
        output, _ = await process.communicate(b"")
    (tmp_path / "pulled").unlink()
    told: dict[str, Any] = json.loads(output)
    assert (pulled.size, pulled.sha256) == (SIZE, expected)
    assert told["bytes_covered"] == SIZE
    assert told["peak"] < LIMIT
