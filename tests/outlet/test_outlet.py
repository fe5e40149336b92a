"""The outlet as the clips of a process share it: opened once, closed after the last, never left."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import SecretStr
from yarl import URL

from postflow.errors import Retry
from postflow.media.probe import probe_media
from postflow.models import Exposure, MediaFile
from postflow.outlet import Outlet
from postflow.outlet.tunnel import StaticProvider
from postflow.sandbox.fetching import FetchError, pull
from tests.support.wait import wait_until

BODY = random.Random(5).randbytes(500_001)


@dataclass
class Pipe:
    """A tunnel made of a listening socket; it dies when told to."""

    public_url: SecretStr
    server: asyncio.Server
    alive: bool = True

    async def check(self) -> None:
        if not self.alive:
            raise Retry("The pipe broke.", hint="Mend it.", code="tunnel.pipe")

    async def close(self) -> None:
        self.server.close()

    def die(self) -> None:
        self.alive = False
        self.server.close()


@dataclass
class Plumber:
    """A provider of pipes that keeps count, and can fail or take long at either end."""

    opened: list[Pipe] = field(default_factory=list)
    closed: int = 0
    failures: int = 0
    may_open: asyncio.Event = field(default_factory=asyncio.Event)
    may_close: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0

    def __post_init__(self) -> None:
        self.may_open.set()
        self.may_close.set()

    @asynccontextmanager
    async def open(self, local_url: str) -> AsyncIterator[Pipe]:
        await self._wait(self.may_open)
        if self.failures:
            self.failures -= 1
            raise Retry("No pipe today.", hint="Come back tomorrow.", code="tunnel.pipe")
        pipe = await lay_pipe(local_url)
        self.opened.append(pipe)
        try:
            yield pipe
        finally:
            await self._wait(self.may_close)
            await pipe.close()
            self.closed += 1

    async def _wait(self, event: asyncio.Event) -> None:
        self.waiting += 1
        try:
            await event.wait()
        finally:
            self.waiting -= 1


async def lay_pipe(local_url: str) -> Pipe:
    target = int(local_url.rpartition(":")[2])

    async def flow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(flow(reader, back), flow(there, writer))

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    return Pipe(SecretStr(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"), server)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "SQ07_UNDLM_00152_v003.mov"
    path.write_bytes(BODY)
    return path


@pytest.fixture
async def media(clip: Path) -> MediaFile:
    return await probe_media(clip)


@pytest.fixture
def plumber() -> Plumber:
    return Plumber()


@pytest.fixture
def outlet(plumber: Plumber) -> Outlet:
    return Outlet(plumber, probe_timeout=0.5)


async def fetch(exposure: Exposure, sink: Path) -> bytes:
    await pull(exposure.url.get_secret_value(), sink)
    return await asyncio.to_thread(sink.read_bytes)


def servers() -> int:
    """Media servers' threads alive."""
    return sum(thread.name == "postflow media server" for thread in threading.enumerate())


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


# Exposing


async def test_a_file_can_be_fetched_while_it_is_exposed_and_not_after(
    outlet: Outlet, media: MediaFile, tmp_path: Path
) -> None:
    async with outlet.opened():
        async with outlet.expose(media) as exposure:
            assert await fetch(exposure, tmp_path / "pulled") == BODY
        with pytest.raises(FetchError) as caught:
            await fetch(exposure, tmp_path / "pulled")
    assert caught.value.status == 404


async def test_exposing_opens_the_outlet_by_itself(
    outlet: Outlet, plumber: Plumber, media: MediaFile, tmp_path: Path
) -> None:
    async with outlet.expose(media) as exposure:
        assert await fetch(exposure, tmp_path / "pulled") == BODY
    assert (len(plumber.opened), plumber.closed) == (1, 1)


async def test_our_probe_is_not_counted_as_a_fetch(
    outlet: Outlet, media: MediaFile, tmp_path: Path
) -> None:
    async with outlet.expose(media) as exposure:
        assert outlet.served(exposure).requests == 0
        await fetch(exposure, tmp_path / "pulled")
        served = await outlet.settled(exposure)
    assert (served.requests, served.bytes_covered) == (1, len(BODY))


async def test_settling_does_not_wait_for_ever(
    outlet: Outlet, plumber: Plumber, clip: Path
) -> None:
    """A reader that stalls in the middle would otherwise hold it up for two minutes."""
    os.truncate(clip, 64 << 20)
    async with outlet.expose(await probe_media(clip)) as exposure:
        address = URL(exposure.url.get_secret_value())
        reader, writer = await asyncio.open_connection(address.host, address.port, limit=1)
        writer.write(f"GET {address.raw_path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await reader.readexactly(1)
        served = await outlet.settled(exposure, timeout=0.01)
        writer.transport.abort()
    assert served.bytes_covered < served.total


async def test_a_file_that_changes_while_exposed_is_known(
    outlet: Outlet, media: MediaFile, tmp_path: Path
) -> None:
    async with outlet.expose(media) as exposure:
        os.utime(media.path, ns=(0, 0))
        with pytest.raises(FetchError):
            await fetch(exposure, tmp_path / "pulled")
        assert outlet.served(exposure).changed


async def test_an_address_that_leads_nowhere_is_never_handed_out(
    outlet: Outlet, plumber: Plumber, media: MediaFile
) -> None:
    before = open_files()
    async with outlet.opened():
        plumber.opened[0].server.close()
        with pytest.raises(Retry) as caught:
            await outlet.expose(media).__aenter__()
    assert caught.value.code == "tunnel.unreachable"
    await wait_until(lambda: open_files() == before, description="everything to be closed")


async def test_a_fixed_port_serves_an_address_of_our_own(
    media: MediaFile, tmp_path: Path, unused_tcp_port: int
) -> None:
    provider = StaticProvider(base_url=SecretStr(f"http://127.0.0.1:{unused_tcp_port}/"))
    async with Outlet(provider, port=unused_tcp_port).expose(media) as exposure:
        assert await fetch(exposure, tmp_path / "pulled") == BODY


async def test_twenty_clips_share_one_outlet(
    outlet: Outlet, plumber: Plumber, tmp_path: Path
) -> None:
    bodies = [random.Random(n).randbytes(200_000 + n) for n in range(20)]

    async def deliver(number: int) -> bytes:
        path = tmp_path / f"{number}.mov"
        path.write_bytes(bodies[number])
        async with outlet.expose(await probe_media(path)) as exposure:
            return await fetch(exposure, tmp_path / f"{number}.pulled")

    async with asyncio.timeout(60):
        fetched = await asyncio.gather(*(deliver(number) for number in range(20)))
    assert fetched == bodies
    assert len(plumber.opened) == plumber.closed


async def test_the_address_stays_secret(
    outlet: Outlet, media: MediaFile, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level("DEBUG")
    async with outlet.expose(media) as exposure:
        await fetch(exposure, tmp_path / "pulled")
        token = exposure.url.get_secret_value().split("/")[-2]
        assert token not in repr(exposure) + str(exposure) + exposure.model_dump_json()
    assert token not in caplog.text


# Opening and closing


async def test_the_first_user_opens_and_the_last_one_closes(
    outlet: Outlet, plumber: Plumber
) -> None:
    async with outlet.opened():
        async with outlet.opened():
            pass
        assert (len(plumber.opened), plumber.closed, servers()) == (1, 0, 1)
    assert (len(plumber.opened), plumber.closed, servers()) == (1, 1, 0)
    async with outlet.opened():
        assert (len(plumber.opened), plumber.closed, servers()) == (2, 1, 1)


async def test_first_users_at_once_open_once(outlet: Outlet, plumber: Plumber) -> None:
    plumber.may_open.clear()
    together = asyncio.Barrier(10)

    async def use() -> None:
        async with outlet.opened():
            await together.wait()

    users = [asyncio.create_task(use()) for _ in range(10)]
    await wait_until(lambda: plumber.waiting, description="the first one to open")
    plumber.may_open.set()
    await asyncio.gather(*users)
    assert (len(plumber.opened), plumber.closed, servers()) == (1, 1, 0)


async def test_a_failed_opening_leaves_nothing_and_the_next_one_may_succeed(
    outlet: Outlet, plumber: Plumber
) -> None:
    before = open_files()
    plumber.failures = 1
    with pytest.raises(Retry, match="No pipe today"):
        await outlet.opened().__aenter__()
    assert (servers(), open_files()) == (0, before)
    async with outlet.opened():
        assert servers() == 1


async def test_a_cancelled_opening_leaves_nothing_and_others_open_instead(
    outlet: Outlet, plumber: Plumber
) -> None:
    plumber.may_open.clear()
    entered = asyncio.Event()

    async def use() -> None:
        async with outlet.opened():
            entered.set()

    first, second = asyncio.create_task(use()), asyncio.create_task(use())
    await wait_until(lambda: plumber.waiting, description="the first one to open")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    plumber.may_open.set()
    await second
    assert entered.is_set()
    assert (len(plumber.opened), plumber.closed, servers()) == (1, 1, 0)


async def test_a_cancelled_user_closes_everything_even_if_cancelled_again(
    outlet: Outlet, plumber: Plumber, media: MediaFile
) -> None:
    before = open_files()
    plumber.may_close.clear()
    exposed = asyncio.Event()

    async def use() -> None:
        async with outlet.expose(media):
            exposed.set()
            await asyncio.Event().wait()

    user = asyncio.create_task(use())
    await exposed.wait()
    user.cancel()
    await wait_until(lambda: plumber.waiting, description="the pipe to be closed")
    user.cancel()
    await asyncio.sleep(0)
    user.cancel()
    await asyncio.sleep(0)
    assert not user.done()
    plumber.may_close.set()
    with pytest.raises(asyncio.CancelledError):
        await user
    assert (plumber.closed, servers()) == (1, 0)
    await wait_until(lambda: open_files() == before, description="everything to be closed")


async def test_an_error_inside_closes_everything_and_comes_out(
    outlet: Outlet, plumber: Plumber, media: MediaFile
) -> None:
    async def fail() -> None:
        async with outlet.expose(media):
            raise EOFError

    with pytest.raises(EOFError):
        await fail()
    assert (plumber.closed, servers()) == (1, 0)


async def test_using_a_closed_outlet_is_a_mistake_of_ours(outlet: Outlet) -> None:
    with pytest.raises(RuntimeError, match="opened"):
        await outlet.check()


# A tunnel that dies


async def test_a_dead_tunnel_is_noticed_and_the_next_exposure_gets_a_new_one(
    outlet: Outlet, plumber: Plumber, media: MediaFile, tmp_path: Path
) -> None:
    async with outlet.expose(media) as old:
        await outlet.check(old)
        plumber.opened[0].die()
        with pytest.raises(Retry, match="The pipe broke"):
            await outlet.check(old)
        async with outlet.expose(media) as new:
            assert await fetch(new, tmp_path / "pulled") == BODY
            await outlet.check(new)
            await outlet.check()
            with pytest.raises(Retry) as caught:
                await outlet.check(old)
    assert caught.value.code == "tunnel.replaced"
    assert (len(plumber.opened), plumber.closed) == (2, 2)


async def offer(outlet: Outlet, media: MediaFile) -> None:
    async with outlet.expose(media):
        pass


async def test_many_who_notice_replace_the_tunnel_once(
    outlet: Outlet, plumber: Plumber, media: MediaFile
) -> None:
    async with outlet.opened():
        plumber.opened[0].die()
        await asyncio.gather(*(offer(outlet, media) for _ in range(5)))
        assert len(plumber.opened) == 2
        await outlet.check()
        assert servers() == 1


async def test_a_tunnel_that_cannot_be_replaced_is_tried_again_next_time(
    outlet: Outlet, plumber: Plumber, media: MediaFile, tmp_path: Path
) -> None:
    async with outlet.opened():
        plumber.opened[0].die()
        plumber.failures = 1
        with pytest.raises(Retry, match="No pipe today"):
            await offer(outlet, media)
        with pytest.raises(Retry):
            await outlet.check()
        async with outlet.expose(media) as exposure:
            assert await fetch(exposure, tmp_path / "pulled") == BODY


# Weight


def test_importing_the_outlet_brings_neither_ngrok_nor_prefect() -> None:
    code = "import sys, postflow.outlet; print({'pyngrok', 'prefect'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


async def test_loopback_hands_out_the_server_itself(media: MediaFile, tmp_path: Path) -> None:
    async with Outlet(StaticProvider()).expose(media) as exposure:
        assert exposure.url.get_secret_value().startswith("http://127.0.0.1:")
        assert await fetch(exposure, tmp_path / "pulled") == BODY
