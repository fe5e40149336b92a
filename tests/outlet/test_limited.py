"""Limited bandwidth through real sockets: never faster than allowed, and whole."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from postflow.bandwidth import MOST_FREE, Bandwidth
from postflow.media.probe import probe_media
from postflow.outlet.served_files import Limits, Served, ServedFile
from postflow.outlet.server import MediaServer
from tests.support.wait import wait_until

SIZE = 4 << 20
BODY = random.Random(3).randbytes(SIZE)
RATE = 4 * SIZE


class Allowed:
    """What may leave now; the test says when the hour is over."""

    def __init__(self, rate: float | None) -> None:
        self.rate = rate

    def __call__(self) -> float | None:
        return self.rate


@pytest.fixture
def allowed() -> Allowed:
    return Allowed(RATE)


@pytest.fixture(params=[True, False], ids=["sendfile", "copy"])
def server(allowed: Allowed, request: pytest.FixtureRequest) -> Iterator[MediaServer]:
    with MediaServer(limits=Limits(sendfile=request.param), bandwidth=Bandwidth(allowed)) as server:
        yield server


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def publish(server: MediaServer, folder: Path, number: int = 1) -> tuple[ServedFile, str]:
    path = folder / f"SQ07_UNDLM_00152_v{number:03}.mov"
    path.write_bytes(BODY)
    file = await server.publish(await probe_media(path))
    return file, server.url + file.path.get_secret_value()


async def fetch(session: aiohttp.ClientSession, url: str, start: int, stop: int) -> bytes:
    part = {"Range": f"bytes={start}-{stop - 1}"}
    # One that is withdrawn before its answer begins is refused, later ones are cut.
    async with session.get(url, headers=part, raise_for_status=True) as answer:
        return await answer.read()


async def settled(file: ServedFile) -> Served:
    """What was counted, once nobody is fetching: a piece counts after it has left."""
    await wait_until(lambda: file.idle, description="nobody to be fetching")
    return file.snapshot()


@contextmanager
def no_faster_than(rate: float, count: int) -> Iterator[None]:
    """`count` bytes within the block took as long as they have to. Nothing is said of longer."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun >= 0.95 * count / rate


async def test_a_clip_is_whole_and_no_faster_than_allowed(
    server: MediaServer, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    file, url = await publish(server, tmp_path)
    with no_faster_than(RATE, 2 * SIZE):
        async with session.get(url) as answer:
            assert await answer.read() == BODY
        quarters = [(at, at + SIZE // 4) for at in range(0, SIZE, SIZE // 4)]
        pieces = await asyncio.gather(*(fetch(session, url, *each) for each in quarters))
    assert b"".join(pieces) == BODY
    assert (await settled(file)).bytes_sent == 2 * SIZE


async def test_two_clips_share_what_is_allowed(
    server: MediaServer, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    (_, one), (_, two) = await publish(server, tmp_path), await publish(server, tmp_path, 2)
    with no_faster_than(RATE, 2 * SIZE):
        bodies = await asyncio.gather(*(fetch(session, url, 0, SIZE) for url in (one, two)))
    assert bodies == [BODY, BODY]


async def test_who_comes_back_for_the_rest_gets_no_more_than_allowed(
    server: MediaServer, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    file, url = await publish(server, tmp_path)
    first = b""
    with no_faster_than(RATE, SIZE):
        async with session.get(url) as answer:
            first = await answer.content.readexactly(SIZE // 2)
        rest = await fetch(session, url, SIZE // 2, SIZE)
    assert first + rest == BODY
    assert SIZE <= (await settled(file)).bytes_sent < 2 * SIZE


async def test_a_limit_that_ends_lets_the_clip_on_its_way_go(
    server: MediaServer, allowed: Allowed, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """By the limit of before it would take seven minutes."""
    allowed.rate = 10_000
    _, url = await publish(server, tmp_path)
    async with session.get(url) as answer:
        await answer.content.readexactly(1)
        allowed.rate = None
        assert len(await answer.read()) == SIZE - 1


async def test_a_limit_that_begins_holds_for_the_clip_on_its_way(
    server: MediaServer, allowed: Allowed, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    allowed.rate = None
    path = tmp_path / "SQ07_UNDLM_00152_v001.mov"
    path.write_bytes(BODY * 6)
    file = await server.publish(await probe_media(path))
    async with session.get(server.url + file.path.get_secret_value()) as answer:
        await answer.content.readexactly(1)
        begun = time.monotonic()
        allowed.rate = RATE
        # A turn that was free is still on its way, and may not be counted.
        left = 6 * SIZE - file.snapshot().bytes_sent - MOST_FREE
        assert left > SIZE, "buffers between two sockets have taken it all"
        await answer.read()
        assert time.monotonic() - begun >= 0.95 * left / RATE


async def test_waiting_for_a_turn_is_not_standing_still(
    allowed: Allowed, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """A reader that takes nothing for so long is let go; this one may not take more."""
    allowed.rate = 10_000
    with MediaServer(limits=Limits(idle=0.02), bandwidth=Bandwidth(allowed)) as server:
        _, url = await publish(server, tmp_path)
        with no_faster_than(10_000, 5_000):
            assert await fetch(session, url, 0, 5_000) == BODY[:5_000]


async def test_who_breaks_off_while_waiting_is_gone_at_once(
    server: MediaServer, allowed: Allowed, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    allowed.rate = 1 / 86_400  # a turn in many days
    file, url = await publish(server, tmp_path)
    waiting = [asyncio.create_task(fetch(session, url, 0, SIZE)) for _ in range(2)]
    await wait_until(lambda: file.snapshot().requests == 2, description="both to be waiting")
    waiting[0].cancel()
    await server.withdraw(file)
    with pytest.raises(aiohttp.ClientError):
        await waiting[1]
    assert file.idle
    assert file.snapshot().bytes_sent == 0
