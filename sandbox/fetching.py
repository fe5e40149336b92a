"""How the other side might fetch a URL it was given: five ways, from the trusting to the wary.

What answers 200 is stored, a web page too: that is how an interstitial page becomes "the video".
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar, get_args

import aiohttp

FetchStyle = Literal["get", "head_then_get", "ranges", "abort_and_resume", "slow"]
FETCH_STYLES: tuple[FetchStyle, ...] = get_args(FetchStyle)

READ_BUFFER = 1 << 20
SLOW_BUFFER = 1 << 14
SMALLEST_PART = 1 << 16

Answer = TypeVar("Answer")


class FetchError(Exception):
    """No whole body was had. `status` is the refusing HTTP status, where there was one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class _LostConnectionError(Exception):
    """The body broke off, by the network or by our own will."""


class Pulled(NamedTuple):
    """What was stored: bytes, hex digest, HTTP requests needed, the Content-Type as answered."""

    size: int
    sha256: str
    requests: int
    content_type: str


def _never() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Manners:
    """How the fetcher behaves. Times in seconds; `rate` in bytes a second, for style `slow`.

    `cut_after` is asked before each body: a number drops that connection after so many bytes.
    """

    user_agent: str = "sandbox-fetcher/1.0"
    attempts: int = 3
    pause: float = 0.1
    connect_timeout: float = 10.0
    idle_timeout: float = 30.0
    connections: int = 6
    rate: int = 4 << 20
    redirects: bool = True
    without_length: bool = True
    cut_after: Callable[[], int | None] = _never


async def pull(
    url: str, sink: Path, style: FetchStyle = "get", manners: Manners | None = None
) -> Pulled:
    """Store what `url` serves in `sink`, in constant memory. Raises FetchError."""
    manners = manners or Manners()
    with _Sink(sink) as store:
        async with _session(style, manners) as session:
            fetch = _Fetch(session, url, store, manners)
            await _STYLES[style](fetch)
        size, sha256 = await asyncio.to_thread(store.digest)
    return Pulled(size, sha256, fetch.requests, fetch.content_type)


def _session(style: FetchStyle, manners: Manners) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        headers={"User-Agent": manners.user_agent},
        timeout=aiohttp.ClientTimeout(
            total=None, sock_connect=manners.connect_timeout, sock_read=manners.idle_timeout
        ),
        connector=aiohttp.TCPConnector(limit=manners.connections),
        read_bufsize=SLOW_BUFFER if style == "slow" else READ_BUFFER,
    )


class _Sink:
    """The file being filled. Writes run in threads; the lock keeps `close` from passing one."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb+")
        self._lock = threading.Lock()

    def __enter__(self) -> _Sink:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._file.close()

    def write_at(self, offset: int, data: bytes) -> None:
        with self._lock:
            if not self._file.closed:
                self._file.seek(offset)
                self._file.write(data)

    def cut_to(self, size: int) -> None:
        with self._lock:
            self._file.truncate(size)

    def digest(self) -> tuple[int, str]:
        with self._lock:
            self._file.seek(0)
            sha256 = hashlib.file_digest(self._file, "sha256").hexdigest()
            return os.fstat(self._file.fileno()).st_size, sha256


@dataclass(slots=True)
class _Fetch:
    """One pull in progress."""

    session: aiohttp.ClientSession
    url: str
    sink: _Sink
    manners: Manners
    requests: int = 0
    content_type: str = ""

    @contextlib.asynccontextmanager
    async def ask(
        self, method: str, headers: dict[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request; a refusal raises FetchError, a lost connection _LostConnectionError."""
        self.requests += 1
        try:
            async with self.session.request(
                method, self.url, headers=headers, allow_redirects=self.manners.redirects
            ) as response:
                if response.status >= 300:
                    raise FetchError(f"The server answered {response.status}.", response.status)
                if response.content_length is None and not self.manners.without_length:
                    raise FetchError("The server did not say how long the file is.")
                self.content_type = response.headers.get("Content-Type", "")
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _LostConnectionError(type(error).__name__) from error

    async def store(
        self,
        response: aiohttp.ClientResponse,
        start: int = 0,
        *,
        stop: int | None = None,
        rate: int | None = None,
    ) -> int:
        """Write the body at `start`, but nothing past `stop`; return where it ended."""
        cut = self.manners.cut_after()
        offset = start
        async for data in response.content.iter_any():
            if cut is not None and offset + len(data) - start >= cut:
                raise _LostConnectionError("cut by the fetcher")
            kept = data if stop is None else data[: stop - offset]
            await asyncio.to_thread(self.sink.write_at, offset, kept)
            offset += len(kept)
            if offset == stop:
                break
            if rate is not None:
                await asyncio.sleep(len(kept) / rate)
        return offset

    async def persist(self, step: Callable[[], Awaitable[Answer]]) -> Answer:
        """Run `step` until it gets through, as often as manners allow."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return await step()
            except _LostConnectionError as error:
                failure = FetchError(f"The connection was lost ({error}).")
            except FetchError as error:
                if error.status is None or error.status < 500:
                    raise
                failure = error
            if attempt >= self.manners.attempts:
                raise failure
            await asyncio.sleep(self.manners.pause)


async def _get(fetch: _Fetch) -> None:
    await fetch.persist(partial(_whole_body, fetch))


async def _slow(fetch: _Fetch) -> None:
    await fetch.persist(partial(_whole_body, fetch, rate=fetch.manners.rate))


async def _whole_body(fetch: _Fetch, rate: int | None = None) -> int:
    fetch.sink.cut_to(0)
    async with fetch.ask("GET") as response:
        return await fetch.store(response, rate=rate)


async def _head_then_get(fetch: _Fetch) -> None:
    promised = await fetch.persist(partial(_promised_size, fetch))
    size = await fetch.persist(partial(_whole_body, fetch))
    if promised not in (None, size):
        raise FetchError(f"HEAD promised {promised} bytes, GET gave {size}.")


async def _promised_size(fetch: _Fetch) -> int | None:
    async with fetch.ask("HEAD") as response:
        return response.content_length


class _Known(NamedTuple):
    """What the first answer told of the whole body."""

    size: int
    etag: str | None

    def headers(self, wanted: str) -> dict[str, str]:
        condition = {"If-Range": self.etag} if self.etag else {}
        return {"Range": f"bytes={wanted}", **condition}


async def _abort_and_resume(fetch: _Fetch) -> None:
    known, have = await fetch.persist(partial(_first_half, fetch))
    if have < known.size:
        await fetch.persist(partial(_second_half, fetch, known, have))


async def _first_half(fetch: _Fetch) -> tuple[_Known, int]:
    """Hang up in the middle. A body of unknown length is taken whole: it could not be resumed."""
    fetch.sink.cut_to(0)
    async with fetch.ask("GET") as response:
        size = response.content_length
        have = await fetch.store(response, stop=None if size is None else size // 2)
        response.close()
        return _Known(have if size is None else size, response.headers.get("ETag")), have


async def _second_half(fetch: _Fetch, known: _Known, have: int) -> None:
    async with fetch.ask("GET", known.headers(f"{have}-")) as response:
        if response.status == 206:
            _check_part(response, known, have, known.size)
            await fetch.store(response, have)
        else:
            fetch.sink.cut_to(0)
            await fetch.store(response)


async def _ranges(fetch: _Fetch) -> None:
    known = await fetch.persist(partial(_first_byte, fetch))
    if known is None:
        return
    part = max(SMALLEST_PART, -(-known.size // (4 * fetch.manners.connections)))
    starts = iter(range(0, known.size, part))

    async def work() -> None:
        for start in starts:
            await fetch.persist(partial(_part, fetch, known, start, min(start + part, known.size)))

    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(fetch.manners.connections):
                workers.create_task(work())
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _first_byte(fetch: _Fetch) -> _Known | None:
    """Learn size and ETag. A server that ignores Range has sent everything already: None."""
    fetch.sink.cut_to(0)
    async with fetch.ask("GET", {"Range": "bytes=0-0"}) as response:
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        await fetch.store(response)
        if response.status != 206 or not total.isdecimal():
            return None
        return _Known(int(total), response.headers.get("ETag"))


async def _part(fetch: _Fetch, known: _Known, start: int, end: int) -> None:
    async with fetch.ask("GET", known.headers(f"{start}-{end - 1}")) as response:
        _check_part(response, known, start, end)
        await fetch.store(response, start)


def _check_part(response: aiohttp.ClientResponse, known: _Known, start: int, end: int) -> None:
    expected = f"bytes {start}-{end - 1}/{known.size}"
    same = response.headers.get("ETag") == known.etag
    if not (same and response.headers.get("Content-Range") == expected):
        raise FetchError("The file changed between two parts.")


_STYLES: dict[FetchStyle, Callable[[_Fetch], Awaitable[None]]] = {
    "get": _get,
    "head_then_get": _head_then_get,
    "ranges": _ranges,
    "abort_and_resume": _abort_and_resume,
    "slow": _slow,
}
