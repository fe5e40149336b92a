"""Strangers at the media server: however many come and whatever they leave unsaid, clips go out."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import random
import resource
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from postflow.media.probe import probe_media
from postflow.outlet.connection_limit import Shortage
from postflow.outlet.served_files import Limits
from postflow.outlet.server import MediaServer
from postflow.sandbox.fetching import pull

SIZE = 3 << 20
BODY = random.Random(5).randbytes(SIZE)
SHA256 = hashlib.sha256(BODY).hexdigest()
WRONG = "GET /v1/{token}/clip.mov HTTP/1.1\r\nHost: x\r\n\r\n".format(token="A" * 43)

UNSAID = {
    "nothing": "",
    "half a line": "GET /",
    "half a head": "GET / HTTP/1.1\r\nHost: x\r\n",
    "half a body": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc",
    "a wrong address": WRONG,
    "wrong addresses in one go": WRONG * 8,
}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "SQ07_UNDLM_00152_v003.mov"
    path.write_bytes(BODY)
    return path


async def published(server: MediaServer, clip: Path) -> str:
    file = await server.publish(await probe_media(clip))
    return server.url + file.path.get_secret_value()


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def strangers(url: str, number: int, said: str) -> AsyncIterator[list[Stream]]:
    port = int(url.split("/")[2].rpartition(":")[2])
    streams: list[Stream] = []
    try:
        for _ in range(number):
            streams.append(await asyncio.open_connection("127.0.0.1", port))
            streams[-1][1].write(said.encode())
        yield streams
    finally:
        for _, writer in streams:
            writer.transport.abort()


async def hung_up(stream: Stream) -> bytes:
    """What was answered before the server hung up."""
    answer = b""
    with suppress(ConnectionError):
        async with asyncio.timeout(60):
            while piece := await stream[0].read(1 << 16):
                answer += piece
    return answer


@pytest.mark.parametrize("said", UNSAID.values(), ids=list(UNSAID))
async def test_strangers_delay_no_fetcher(said: str, clip: Path, tmp_path: Path) -> None:
    """The one that has been there longest gives way: nobody has to wait for a timer."""
    with MediaServer(limits=Limits(connections=8, silence=3600)) as server:
        url = await published(server, clip)
        async with strangers(server.url, 100, said) as came:
            pulled = await pull(url, tmp_path / "pulled", "ranges")
            await asyncio.gather(*map(hung_up, came[:50]))
    assert pulled.sha256 == SHA256


@pytest.mark.parametrize("said", UNSAID.values(), ids=list(UNSAID))
async def test_who_asks_for_no_file_is_let_go(said: str) -> None:
    with MediaServer(limits=Limits(silence=0.05)) as server:
        async with strangers(server.url, 1, said) as (stranger,):
            answer = await hung_up(stranger)
    assert answer.count(b"HTTP/1.1 ") <= 1


async def test_drops_of_a_request_do_not_prolong_the_wait() -> None:
    with MediaServer(limits=Limits(silence=0.2)) as server:
        async with strangers(server.url, 1, "GET / HTTP/1.1\r\n") as ((reader, writer),):
            over = asyncio.create_task(hung_up((reader, writer)))
            while not over.done():
                writer.write(b"X: y\r\n")
                await asyncio.wait({over}, timeout=0.02)
            assert await over == b""


async def test_who_fetches_a_file_stays_however_many_come(clip: Path) -> None:
    """Also more of them than the limit of connections."""
    with MediaServer(limits=Limits(connections=4, silence=1.0)) as server:
        url = await published(server, clip)
        asked = f"GET {url.removeprefix(server.url)} HTTP/1.1\r\nHost: x\r\n\r\n"
        async with AsyncExitStack() as stack:
            fetching: list[Stream] = []
            for _ in range(6):
                fetching += await stack.enter_async_context(strangers(server.url, 1, asked))
                assert await fetching[-1][0].readuntil(b"\r\n\r\n")
            async with strangers(server.url, 50, "") as came:
                await asyncio.gather(*map(hung_up, came))
            for reader, _ in fetching:
                await reader.readexactly(SIZE)


SERVING = """
import asyncio, resource, sys
from pathlib import Path
from postflow.media.probe import probe_media
from postflow.outlet.connection_limit import Shortage
from postflow.outlet.server import MediaServer

async def main():
    with MediaServer() as server:
        file = await server.publish(await probe_media(Path(sys.argv[1])))
        print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], flush=True)
        print(server.url + file.path.get_secret_value(), flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@asynccontextmanager
async def serving_with(
    soft: int, hard: int, clip: Path
) -> AsyncIterator[tuple[int, str, asyncio.subprocess.Process]]:
    """A process of its own with so many descriptors; the soft limit it then has, and a URL."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVING, str(clip)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
    )
    assert process.stdout
    try:
        limit, url = await process.stdout.readline(), await process.stdout.readline()
        yield int(limit), url.decode().strip(), process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_descriptors_are_left_for_the_rest(clip: Path, tmp_path: Path) -> None:
    async with (
        serving_with(128, 128, clip) as (_, url, process),
        strangers(url, 500, "GET /"),
    ):
        pulled = await pull(url, tmp_path / "pulled", "ranges")
        assert process.stdin
        assert process.stderr
        process.stdin.close()
        said = await process.stderr.read()
    assert pulled.sha256 == SHA256
    assert said == b""


@pytest.mark.parametrize(("soft", "hard", "raised"), [(128, 1024, 1024), (1024, 1024, 1024)])
async def test_the_limit_of_open_files_is_raised(
    soft: int, hard: int, raised: int, clip: Path
) -> None:
    async with serving_with(soft, hard, clip) as (limit, _, _):
        assert limit == raised


async def test_a_shortage_that_others_cause_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """asyncio reports it for each connection that it would have taken."""
    shortage = Shortage()
    for _ in range(100):
        shortage(asyncio.get_running_loop(), {"exception": OSError(errno.EMFILE, "too many")})
    assert [(each.levelname, each.exc_info) for each in caplog.records] == [("WARNING", None)]
