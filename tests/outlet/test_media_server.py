"""The media server over real sockets: what it gives, what it refuses, what it counts."""

from __future__ import annotations

import asyncio
import os
import random
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from postflow.errors import Fatal, Retry, Skip
from postflow.media.probe import probe_media
from postflow.outlet.served_files import Limits, Served, ServedFile
from postflow.outlet.server import MediaServer
from postflow.sandbox.fetching import FETCH_STYLES, FetchError, FetchStyle, Manners, pull
from tests.support.wait import wait_until

SIZE = 3_000_001
BODY = random.Random(3).randbytes(SIZE)
BIG = 24 << 20

Publish = Callable[[Path], Awaitable[ServedFile]]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "SQ07_UNDLM_00152_v003.mov"
    path.write_bytes(BODY)
    return path


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """Larger than all the buffers between two sockets."""
    path = tmp_path / "big.mov"
    path.write_bytes(random.Random(4).randbytes(1 << 20) * 24)
    return path


@pytest.fixture
def server() -> Iterator[MediaServer]:
    with MediaServer() as server:
        yield server


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"User-Agent": "fetcher/1"}) as session:
        yield session


async def publish(server: MediaServer, path: Path) -> tuple[ServedFile, str]:
    file = await server.publish(await probe_media(path))
    return file, server.url + file.path.get_secret_value()


async def settled(file: ServedFile) -> Served:
    """What was served, once the server's thread has counted the last piece."""
    await wait_until(lambda: file.idle, description="nobody to be fetching")
    return file.snapshot()


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"x" * 1000)


def _truncate(path: Path) -> None:
    os.truncate(path, 100_000)


def _replace(path: Path) -> None:
    twin = path.with_name("twin")
    twin.write_bytes(BODY)
    os.utime(twin, ns=(0, path.stat().st_mtime_ns))
    twin.replace(path)


def _delete(path: Path) -> None:
    path.unlink()


def _replace_by_link(path: Path) -> None:
    path.symlink_to(path.rename(path.with_name("secret.mov")))


# What it gives


async def test_a_clip_is_given_whole_with_all_that_a_fetcher_asks(
    server: MediaServer, session: aiohttp.ClientSession, clip: Path
) -> None:
    os.utime(clip, ns=(0, 1_700_000_000_123_456_789))
    _, url = await publish(server, clip)
    async with session.get(url) as answer:
        assert await answer.read() == BODY
        given = {name.title(): value for name, value in answer.headers.items()}
    assert given.pop("Date")
    assert re.fullmatch(r'"[^"]+"', given.pop("Etag"))
    assert given == {
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-store",
        "Content-Disposition": 'attachment; filename="SQ07_UNDLM_00152_v003.mov"; '
        "filename*=UTF-8''SQ07_UNDLM_00152_v003.mov",
        "Content-Length": str(SIZE),
        "Content-Type": "video/quicktime",
        "Last-Modified": "Tue, 14 Nov 2023 22:13:20 GMT",
        "X-Content-Type-Options": "nosniff",
    }


async def test_head_tells_what_get_gives(
    server: MediaServer, session: aiohttp.ClientSession, clip: Path
) -> None:
    file, url = await publish(server, clip)
    async with session.get(url) as got, session.head(url) as headed:
        assert await headed.read() == b""
        assert headed.status == got.status == 200
        assert {**headed.headers, "Date": ""} == {**got.headers, "Date": ""}
        await got.read()
    assert (await settled(file)).bytes_sent == SIZE


async def test_head_knows_no_ranges(
    server: MediaServer, session: aiohttp.ClientSession, clip: Path
) -> None:
    """RFC 9110, 14.2: a Range means nothing but in a GET."""
    _, url = await publish(server, clip)
    async with session.head(url, headers={"Range": "bytes=0-9"}) as answer:
        assert (answer.status, answer.headers["Content-Length"]) == (200, str(SIZE))


async def test_a_range_is_given_with_its_place(
    server: MediaServer, session: aiohttp.ClientSession, clip: Path
) -> None:
    file, url = await publish(server, clip)
    async with session.get(url, headers={"Range": "bytes=1000-199999"}) as answer:
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes 1000-199999/{SIZE}"
        assert await answer.read() == BODY[1000:200_000]
    assert (await settled(file)).bytes_covered == 199_000


async def test_a_range_past_the_end_is_refused_with_the_size(
    server: MediaServer, session: aiohttp.ClientSession, clip: Path
) -> None:
    _, url = await publish(server, clip)
    async with session.get(url, headers={"Range": f"bytes={SIZE}-"}) as answer:
        assert (answer.status, await answer.read()) == (416, b"")
        assert answer.headers["Content-Range"] == f"bytes */{SIZE}"


async def test_a_stale_resume_starts_over(
    server: MediaServer, session: aiohttp.ClientSession, clip: Path
) -> None:
    _, url = await publish(server, clip)
    stale = {"Range": "bytes=1000-", "If-Range": '"of-yesterday"'}
    async with session.get(url, headers=stale) as answer:
        assert (answer.status, await answer.read()) == (200, BODY)


@pytest.mark.parametrize("style", FETCH_STYLES)
@pytest.mark.parametrize("sendfile", [True, False])
async def test_every_style_of_fetching_gets_every_byte(
    clip: Path, tmp_path: Path, style: FetchStyle, *, sendfile: bool
) -> None:
    with MediaServer(limits=Limits(sendfile=sendfile)) as server:
        file, url = await publish(server, clip)
        await pull(url, tmp_path / "pulled", style, Manners(rate=64 << 20))
        served = await settled(file)
    assert (tmp_path / "pulled").read_bytes() == BODY
    assert served.bytes_covered == served.total == SIZE
    assert not served.changed


async def test_a_compressed_sibling_is_never_given_instead(
    server: MediaServer, session: aiohttp.ClientSession, clip: Path
) -> None:
    clip.with_name(clip.name + ".gz").write_bytes(b"not the clip")
    _, url = await publish(server, clip)
    async with session.get(url, headers={"Accept-Encoding": "gzip, br"}) as answer:
        assert await answer.read() == BODY


HOSTILE = [
    "with space.mov",
    "Ünïcödé 映像.mov",
    'quote".mov',
    "semi;colon=.mov",
    "line\r\nSet-Cookie: a=b.mov",
    "100%25.mov",
    "a?b#c&d.mov",
    "back\\slash.mov",
    "..mov",
    "~%2F..%2f.mov",
    "\udcff\udcfe.mov",
]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
async def test_a_hostile_name_does_no_harm(
    server: MediaServer, session: aiohttp.ClientSession, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(BODY)
    _, url = await publish(server, tmp_path / name)
    for address in (url, URL(url, encoded=True)):
        async with session.get(address) as answer:
            assert await answer.read() == BODY
            assert "Set-Cookie" not in answer.headers
            assert answer.headers["Content-Disposition"].isascii()


async def test_ranges_asked_faster_than_read_stay_in_order(server: MediaServer, clip: Path) -> None:
    """200 pipelined requests: heads go through a buffer, bodies round it, none may overtake."""
    file, _ = await publish(server, clip)
    starts = [n * 7919 % (SIZE - 50_000) for n in range(200)]
    async with raw(server) as (reader, writer):
        for start in starts:
            writer.write(request(file, f"Range: bytes={start}-{start + 49_999}"))
        for start in starts:
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 206")
            assert await reader.readexactly(50_000) == BODY[start : start + 50_000]


# What it refuses


@asynccontextmanager
async def raw(
    server: MediaServer,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    port = int(server.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def request(file: ServedFile, *headers: str, method: str = "GET") -> bytes:
    lines = [f"{method} {file.path.get_secret_value()} HTTP/1.1", "Host: x", *headers, "", ""]
    return "\r\n".join(lines).encode()


async def test_every_wrong_address_gets_the_same_answer(clip: Path) -> None:
    with MediaServer(limits=Limits(lifetime=1e-9)) as server:
        expired, _ = await publish(server, clip)
        first = await answer_to(server, expired.path.get_secret_value())
    with MediaServer() as server:
        withdrawn, _ = await publish(server, clip)
        await server.withdraw(withdrawn)
        changed, _ = await publish(server, clip)
        os.utime(clip, ns=(0, 0))
        file, _ = await publish(server, clip)
        _, version, token, name = file.path.get_secret_value().split("/")
        answers = [
            await answer_to(server, path)
            for path in (
                withdrawn.path.get_secret_value(),
                changed.path.get_secret_value(),
                f"/{version}/{'A' * 43}/{name}",
                f"/{version}/{token}/other.mov",
                f"/{version}/{token}/{name}/",
                f"/{version}/{token}/{name}/{name}",
                f"/{version}/{token}/",
                f"/{version}/{token}",
                f"/{version}/{token}/..%2f..%2f..%2fetc%2fpasswd",
                f"/{version}/{token}/../../../../../../etc/passwd",
                f"/{version}/{token[:-1]}/{name}",
                f"/{version}/{token}%00/{name}",
                f"/{version}/{token}%ff/{name}",
                f"/v0/{token}/{name}",
                f"//{token}/{name}",
                "/",
                "/etc/passwd",
            )
        ]
        right = file.path.get_secret_value()
        broken = [await answer_to(server, f"{right}{odd}") for odd in (" x", "\0", "\r\n:")]
        assert (await answer_to(server, right)).startswith(b"HTTP/1.1 200")
    assert all(re.fullmatch(rb"HTTP/1.0 404 [^:]*\r\n(.+\r\n)+\r\n", each) for each in broken)
    assert first.startswith(b"HTTP/1.1 404")
    assert set(answers) == {first}


async def answer_to(server: MediaServer, path: str) -> bytes:
    """The answer to the last byte, but for the date."""
    async with raw(server) as (reader, writer):
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return re.sub(rb"Date: [^\r]*\r\n", b"", await reader.read())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
async def test_other_methods_are_refused_whatever_the_address(
    server: MediaServer, session: aiohttp.ClientSession, clip: Path, method: str
) -> None:
    _, url = await publish(server, clip)
    for address in (url, server.url + "/"):
        async with session.request(method, address) as answer:
            assert answer.status == 405
            assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET /with space HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n",
    ],
)
async def test_no_answer_names_the_software(server: MediaServer, sent: bytes) -> None:
    async with raw(server) as (reader, writer):
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        assert length
        answer = (head + await reader.readexactly(int(length[1]))).lower()
    assert re.match(rb"http/1.[01] 40[45] ", answer)
    assert b"server:" not in answer
    assert b"python" not in answer
    assert b"aiohttp" not in answer


async def test_only_loopback_listens(server: MediaServer) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.2", port)


async def test_a_link_is_not_followed_even_if_it_came_late(server: MediaServer, clip: Path) -> None:
    media = await probe_media(clip)
    _replace_by_link(clip)
    with pytest.raises(Skip) as caught:
        await server.publish(media)
    assert caught.value.code == "file.not_a_file"


async def test_a_file_that_changed_since_it_was_looked_at_is_not_offered(
    server: MediaServer, clip: Path
) -> None:
    media = await probe_media(clip)
    _append(clip)
    before = open_files()
    with pytest.raises(Retry) as caught:
        await server.publish(media)
    assert caught.value.code == "file.changed"
    assert open_files() == before


async def test_a_file_touched_since_it_was_looked_at_is_offered(
    server: MediaServer, clip: Path
) -> None:
    media = await probe_media(clip)
    os.utime(clip)
    await server.publish(media)


async def test_a_taken_port_is_explained(server: MediaServer) -> None:
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(Fatal) as caught, MediaServer(port=port):
        pass
    assert caught.value.code == "outlet.port"


async def test_no_log_line_holds_an_address(
    server: MediaServer,
    session: aiohttp.ClientSession,
    clip: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    file, url = await publish(server, clip)
    token = url.split("/")[-2]
    async with session.get(url) as answer, raw(server) as (reader, writer):
        await answer.read()
        writer.write(f"GET /v1/{token}/a b HTTP/1.1\r\n\r\n".encode())
        await reader.read()
    garbage = {"Content-Encoding": "gzip"}
    async with session.get(url, headers=garbage, data=b"x", compress=None) as answer:
        await answer.read()
    _delete(clip)
    async with session.get(url) as answer:
        assert answer.status == 404
    await server.withdraw(file)
    assert "SQ07_UNDLM_00152_v003.mov is being fetched by fetcher/1." in caplog.messages
    assert token not in caplog.text
    assert "Traceback" not in caplog.text
    assert token not in repr(file.path)


# A file that changes


@pytest.mark.parametrize("change", [_append, _overwrite, _truncate, _replace, _delete])
async def test_a_change_between_two_requests_ends_the_offer(
    server: MediaServer,
    session: aiohttp.ClientSession,
    clip: Path,
    change: Callable[[Path], None],
) -> None:
    file, url = await publish(server, clip)
    async with session.head(url) as answer:
        assert answer.status == 200
    change(clip)
    async with session.get(url) as answer:
        assert answer.status == 404
    assert (await settled(file)).changed


@pytest.mark.parametrize("change", [_append, _overwrite, _truncate])
@pytest.mark.parametrize("sendfile", [True, False])
async def test_a_body_that_changes_on_its_way_never_becomes_complete(
    big: Path, change: Callable[[Path], None], *, sendfile: bool
) -> None:
    with MediaServer(limits=Limits(sendfile=sendfile)) as server:
        file, _ = await publish(server, big)
        async with raw(server) as (reader, writer):
            writer.write(request(file))
            await reader.readexactly(1000)
            change(big)
            received = 1000 + await drained(reader)
        assert received < BIG
        assert (await settled(file)).changed


async def drained(reader: asyncio.StreamReader) -> int:
    """Bytes that came until the connection ended, in whichever way."""
    received = 0
    try:
        while data := await reader.read(1 << 20):
            received += len(data)
    except ConnectionResetError:
        pass
    return received


async def test_one_reader_noticing_a_change_ends_the_others(
    server: MediaServer, session: aiohttp.ClientSession, big: Path
) -> None:
    file, url = await publish(server, big)
    async with raw(server) as (reader, writer):
        writer.write(request(file))
        await reader.readexactly(1000)
        _delete(big)
        async with session.get(url) as answer:
            assert answer.status == 404
        assert await drained(reader) < BIG


# Those who read slowly, break off, or come in crowds


async def test_a_reader_that_takes_nothing_is_let_go(big: Path) -> None:
    with MediaServer(limits=Limits(idle=0.2)) as server:
        file, _ = await publish(server, big)
        async with raw(server) as (reader, writer):
            writer.write(request(file))
            await reader.readexactly(1000)
            await settled(file)
            assert await drained(reader) < BIG
        assert not file.snapshot().changed


async def test_a_slow_reader_is_served_to_the_end(big: Path, tmp_path: Path) -> None:
    """It takes far longer than the idle time, but never pauses that long."""
    with MediaServer(limits=Limits(idle=1.0)) as server:
        file, url = await publish(server, big)
        pulled = await pull(url, tmp_path / "pulled", "slow", Manners(attempts=1, rate=8 << 20))
        assert pulled.size == BIG
        assert (await settled(file)).bytes_sent == BIG


async def test_stalled_readers_cost_next_to_nothing(server: MediaServer, big: Path) -> None:
    """Not even a descriptor more than their two sockets each."""
    file, _ = await publish(server, big)
    before = open_files()
    async with raw(server) as (first, writer), raw(server) as (second, other):
        writer.write(request(file))
        other.write(request(file))
        await first.readexactly(1000)
        await second.readexactly(1000)
        assert open_files() <= before + 2 * 3
    await wait_until(lambda: open_files() == before, description="all sockets to be closed")


async def test_fetches_that_break_off_leave_nothing_behind(server: MediaServer, big: Path) -> None:
    file, _ = await publish(server, big)
    before = open_files()
    for _ in range(50):
        async with raw(server) as (reader, writer):
            writer.write(request(file))
            await reader.readexactly(1000)
    await wait_until(lambda: open_files() == before, description="all sockets to be closed")
    await settled(file)


async def test_a_crowd_waits_for_its_turn(big: Path, tmp_path: Path) -> None:
    with MediaServer(limits=Limits(parallel=1)) as server:
        file, url = await publish(server, big)
        async with raw(server) as (reader, writer):
            writer.write(request(file))
            await reader.readexactly(1000)
            waiting = asyncio.create_task(pull(url, tmp_path / "pulled"))
            await wait_until(lambda: file.snapshot().requests == 2)
            assert not waiting.done()
        assert (await waiting).size == BIG


async def test_who_waits_too_long_is_told_to_come_back(big: Path, tmp_path: Path) -> None:
    with MediaServer(limits=Limits(parallel=1, queue=0.05)) as server:
        file, url = await publish(server, big)
        async with raw(server) as (reader, writer):
            writer.write(request(file))
            await reader.readexactly(1000)
            with pytest.raises(FetchError) as caught:
                await pull(url, tmp_path / "pulled", "get", Manners(attempts=1))
    assert caught.value.status == 503


async def test_withdrawing_hangs_up_and_closes_the_file(server: MediaServer, big: Path) -> None:
    before = open_files()
    file, _ = await publish(server, big)
    async with raw(server) as (reader, writer):
        writer.write(request(file))
        await reader.readexactly(1000)
        await server.withdraw(file)
        await server.withdraw(file)
        assert await drained(reader) < BIG
    await wait_until(lambda: open_files() == before, description="the file to be closed")


async def test_closing_ends_running_fetches_and_the_thread(big: Path) -> None:
    before = open_files()
    with MediaServer() as server:
        file, _ = await publish(server, big)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", int(server.url.rpartition(":")[2])
        )
        writer.write(request(file))
        await reader.readexactly(1000)
    assert await drained(reader) < BIG
    writer.close()
    await wait_until(lambda: open_files() == before, description="all to be closed")


async def test_a_cancelled_publication_leaves_no_file_open(server: MediaServer, clip: Path) -> None:
    """The file is opened in a thread that was still busy when the task was cancelled."""
    media = await probe_media(clip)
    release = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        asyncio.get_running_loop().set_default_executor(executor)
        executor.submit(release.wait)
        before = open_files()
        publishing = asyncio.create_task(server.publish(media))
        await asyncio.sleep(0)
        publishing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await publishing
        release.set()
        await asyncio.to_thread(open_files)
    await wait_until(lambda: open_files() == before, description="the file to be closed")


# What it counts


async def test_each_byte_is_covered_once_and_sent_as_often_as_asked(
    server: MediaServer, session: aiohttp.ClientSession, clip: Path
) -> None:
    file, url = await publish(server, clip)
    for asked in ("bytes=0-999", "bytes=500-1499", "bytes=0-999"):
        async with session.get(url, headers={"Range": asked}) as answer:
            await answer.read()
    served = await settled(file)
    assert (served.bytes_covered, served.bytes_sent) == (1500, 3000)
    assert (served.requests, served.total) == (3, SIZE)


async def test_an_unread_body_is_not_counted_as_served(server: MediaServer, big: Path) -> None:
    file, _ = await publish(server, big)
    async with raw(server) as (reader, writer):
        writer.write(request(file))
        await reader.readexactly(1000)
    assert 1000 <= (await settled(file)).bytes_covered < BIG


async def test_our_own_visits_can_be_forgotten(
    server: MediaServer, session: aiohttp.ClientSession, clip: Path
) -> None:
    file, url = await publish(server, clip)
    async with session.head(url):
        pass
    file.forget_visits()
    assert file.snapshot().requests == 0
