"""The fetcher against a small real server that can be told to misbehave."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from postflow.sandbox.fetching import FETCH_STYLES, FetchError, FetchStyle, Manners, pull
from tests.support.wait import wait_until

BODY = random.Random(7).randbytes(3_000_001)
QUICK = Manners(pause=0.0, rate=64 << 20)


@dataclass
class Shelf:
    """One file over HTTP, and a queue of answers to give instead of it."""

    body: bytes = BODY
    etag: str | None = '"one"'
    knows_ranges: bool = True
    heeds_if_range: bool = True
    instead: list[Callable[[web.Request], Awaitable[web.StreamResponse]]] = field(
        default_factory=list
    )
    seen: list[web.Request] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        if self.instead:
            return await self.instead.pop(0)(request)
        return await self.plainly(request)

    async def plainly(self, request: web.Request) -> web.StreamResponse:
        wanted = request.http_range
        current = request.headers.get("If-Range") in (None, self.etag) or not self.heeds_if_range
        if self.knows_ranges and wanted.start is not None and current:
            return self._part(wanted.start, min(wanted.stop or len(self.body), len(self.body)))
        return web.Response(body=self.body, headers=self._headers())

    def _part(self, start: int, stop: int) -> web.Response:
        headers = {**self._headers(), "Content-Range": f"bytes {start}-{stop - 1}/{len(self.body)}"}
        return web.Response(status=206, body=self.body[start:stop], headers=headers)

    def _headers(self) -> dict[str, str]:
        return {"Content-Type": "video/mp4", **({"ETag": self.etag} if self.etag else {})}

    def ranges(self) -> list[str | None]:
        return [request.headers.get("Range") for request in self.seen]


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    shelf = Shelf()
    app = web.Application()
    app.router.add_get("/clip", shelf.answer)
    async with TestServer(app) as server:
        shelf.url = str(server.make_url("/clip"))
        yield shelf


async def unavailable(_: web.Request) -> web.StreamResponse:
    return web.Response(status=503)


async def half_a_body(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(len(BODY))})
    await response.prepare(request)
    await response.write(BODY[:100_000])
    assert request.transport is not None
    request.transport.abort()
    return response


@pytest.mark.parametrize("style", FETCH_STYLES)
async def test_every_style_stores_the_same_bytes(
    shelf: Shelf, tmp_path: Path, style: FetchStyle
) -> None:
    pulled = await pull(shelf.url, tmp_path / "clip", style, QUICK)
    assert (tmp_path / "clip").read_bytes() == BODY
    assert pulled.size == len(BODY)
    assert pulled.sha256 == hashlib.sha256(BODY).hexdigest()
    assert pulled.requests == len(shelf.seen)
    assert pulled.content_type == "video/mp4"


@pytest.mark.parametrize("style", FETCH_STYLES)
@pytest.mark.parametrize("size", [1, 2, 65_536])
async def test_small_bodies_come_whole(
    shelf: Shelf, tmp_path: Path, style: FetchStyle, size: int
) -> None:
    shelf.body = BODY[:size]
    assert (await pull(shelf.url, tmp_path / "clip", style, QUICK)).size == size
    assert (tmp_path / "clip").read_bytes() == BODY[:size]


@pytest.mark.parametrize("style", FETCH_STYLES)
@pytest.mark.parametrize("trouble", [unavailable, half_a_body])
async def test_every_style_gets_through_one_trouble(
    shelf: Shelf,
    tmp_path: Path,
    style: FetchStyle,
    trouble: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> None:
    shelf.instead = [trouble]
    await pull(shelf.url, tmp_path / "clip", style, QUICK)
    assert (tmp_path / "clip").read_bytes() == BODY


@pytest.mark.parametrize("style", FETCH_STYLES)
async def test_a_page_with_status_200_is_stored_as_the_video(
    shelf: Shelf, tmp_path: Path, style: FetchStyle
) -> None:
    async def page(_: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>You are about to visit</html>", content_type="text/html")

    shelf.instead = [page] * 9
    pulled = await pull(shelf.url, tmp_path / "clip", style, QUICK)
    assert (tmp_path / "clip").read_text().startswith("<html>")
    assert pulled.content_type.startswith("text/html")


async def test_a_server_that_ignores_ranges_is_taken_whole(shelf: Shelf, tmp_path: Path) -> None:
    shelf.knows_ranges = False
    assert (await pull(shelf.url, tmp_path / "a", "ranges", QUICK)).requests == 1
    assert (await pull(shelf.url, tmp_path / "b", "abort_and_resume", QUICK)).requests == 2
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == BODY


async def test_resuming_asks_for_the_second_half_only_if_unchanged(
    shelf: Shelf, tmp_path: Path
) -> None:
    await pull(shelf.url, tmp_path / "clip", "abort_and_resume", QUICK)
    assert shelf.ranges() == [None, f"bytes={len(BODY) // 2}-"]
    assert shelf.seen[1].headers["If-Range"] == '"one"'


async def test_ranges_are_disjoint_and_many(shelf: Shelf, tmp_path: Path) -> None:
    await pull(shelf.url, tmp_path / "clip", "ranges", QUICK)
    parts = shelf.ranges()[1:]
    assert len(parts) == len(set(parts)) >= QUICK.connections


@pytest.mark.parametrize("style", ["ranges", "abort_and_resume"])
async def test_parts_of_two_versions_are_never_joined(
    shelf: Shelf, tmp_path: Path, style: FetchStyle
) -> None:
    """The server ignores If-Range, as some do."""

    async def then_replaced(request: web.Request) -> web.StreamResponse:
        answer = await shelf.plainly(request)
        shelf.etag = '"two"'
        return answer

    shelf.instead, shelf.heeds_if_range = [then_replaced], False
    with pytest.raises(FetchError, match="changed between two parts"):
        await pull(shelf.url, tmp_path / "clip", style, QUICK)


@pytest.mark.parametrize("style", FETCH_STYLES)
async def test_a_refusal_is_not_repeated(shelf: Shelf, tmp_path: Path, style: FetchStyle) -> None:
    async def gone(_: web.Request) -> web.StreamResponse:
        return web.Response(status=404)

    shelf.instead = [gone] * 5
    with pytest.raises(FetchError) as caught:
        await pull(shelf.url, tmp_path / "clip", style, QUICK)
    assert caught.value.status == 404
    assert len(shelf.seen) == 1


@pytest.mark.parametrize("style", FETCH_STYLES)
async def test_patience_ends(shelf: Shelf, tmp_path: Path, style: FetchStyle) -> None:
    shelf.instead = [unavailable] * 50
    with pytest.raises(FetchError, match="503"):
        await pull(shelf.url, tmp_path / "clip", style, QUICK)
    assert len(shelf.seen) == QUICK.attempts


async def test_nobody_listening_is_a_fetch_error(unused_tcp_port: int, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="connection was lost"):
        await pull(f"http://127.0.0.1:{unused_tcp_port}/clip", tmp_path / "clip", "get", QUICK)


@pytest.mark.parametrize("style", FETCH_STYLES)
async def test_a_cut_drops_the_connection_once_and_the_fetch_recovers(
    shelf: Shelf, tmp_path: Path, style: FetchStyle
) -> None:
    cuts: list[int | None] = [1000]
    manners = Manners(pause=0.0, rate=64 << 20, cut_after=lambda: cuts.pop() if cuts else None)
    pulled = await pull(shelf.url, tmp_path / "clip", style, manners)
    assert cuts == []
    assert pulled.sha256 == hashlib.sha256(BODY).hexdigest()


async def test_the_user_agent_is_ours_to_choose(shelf: Shelf, tmp_path: Path) -> None:
    await pull(shelf.url, tmp_path / "clip", "get", Manners(user_agent="Mozilla/5.0"))
    assert shelf.seen[0].headers["User-Agent"] == "Mozilla/5.0"


async def test_slow_is_overtaken_and_can_be_cancelled(shelf: Shelf, tmp_path: Path) -> None:
    slow = asyncio.create_task(pull(shelf.url, tmp_path / "slow", "slow", Manners(rate=1000)))
    await wait_until(lambda: shelf.seen, description="the slow request")
    await pull(shelf.url, tmp_path / "quick", "get", QUICK)
    assert not slow.done()
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
