"""Direct uploads with a limit, through real sockets: never faster than allowed, and whole."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from pydantic import SecretStr

from benchmarks.direct import sink
from postflow.bandwidth import LEAST, Bandwidth
from postflow.delivery.direct import DirectSending, direct
from postflow.media.probe import probe_media
from postflow.models import UploadPart
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from postflow.frameio import FrameioClient

NOBODY = cast("FrameioClient", None)  # parts go to the store only
PART = 1 << 20
PARTS = 6
SIZE = PARTS * PART
RATE = 4 * SIZE


class Allowed:
    """What may leave now; the test says when the hour is over."""

    def __init__(self, rate: float | None) -> None:
        self.rate, self.asked = rate, 0

    def __call__(self) -> float | None:
        self.asked += 1
        return self.rate


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    with sink(None) as url:
        yield url


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "SQ07_UNDLM_00152_v003.mov"
    path.write_bytes(b"x" * SIZE)
    return path


async def heard(number: int, etag: str | None) -> None:
    """The ledger's part."""


@asynccontextmanager
async def begun(
    store: str, clip: Path, bandwidth: Bandwidth, first: int = 1
) -> AsyncIterator[DirectSending]:
    """The clip on its way, parts from the `first` on."""
    parts = [
        UploadPart(number=number, start=(number - 1) * PART, size=PART, url=SecretStr(store))
        for number in range(first, PARTS + 1)
    ]
    media = await probe_media(clip)
    async with direct(NOBODY, media, heard, bandwidth=bandwidth) as sending:
        sending.resume(parts)
        sending.start()
        yield sending


@pytest.mark.parametrize("first", [1, 4], ids=["whole", "resumed"])
async def test_what_is_sent_is_no_faster_than_allowed(store: str, clip: Path, first: int) -> None:
    start = time.monotonic()
    async with begun(store, clip, Bandwidth(Allowed(RATE)), first) as sending:
        served = await sending.settled()
    assert time.monotonic() - start >= 0.95 * (PARTS + 1 - first) * PART / RATE
    assert served.bytes_covered == served.bytes_sent == SIZE


async def test_two_clips_share_what_is_allowed(store: str, clip: Path) -> None:
    bandwidth, start = Bandwidth(Allowed(RATE)), time.monotonic()
    async with begun(store, clip, bandwidth) as one, begun(store, clip, bandwidth) as two:
        await asyncio.gather(one.settled(), two.settled())
    assert time.monotonic() - start >= 0.95 * 2 * SIZE / RATE


async def test_the_edge_of_an_hour_counts_for_the_clip_on_its_way(store: str, clip: Path) -> None:
    """By the limit of before it would take ten minutes."""
    allowed = Allowed(10_000)
    async with begun(store, clip, Bandwidth(allowed)) as sending:
        await wait_until(lambda: sending.left().bytes_sent > 0, description="a byte to leave")
        assert sending.left().bytes_sent < PART
        start, allowed.rate = time.monotonic(), RATE
        left = SIZE - sending.left().bytes_sent - LEAST
        await sending.settled()
    assert time.monotonic() - start >= 0.9 * left / RATE


async def test_who_is_cancelled_while_waiting_ends_at_once(store: str, clip: Path) -> None:
    allowed = Allowed(1 / 86_400)  # a turn in years
    async with begun(store, clip, Bandwidth(allowed)) as sending:
        await wait_until(lambda: allowed.asked > 0, description="a part to wait for its turn")
    assert sending.left().bytes_sent == 0
