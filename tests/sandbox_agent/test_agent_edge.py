"""The stand-in's public side: what it passes on, what it adds, and how it fails."""

from __future__ import annotations

import asyncio
import socket
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.sandbox_agent.conftest import RunningAgent, Starter, Upstream
from tests.support.wait import wait_until


@pytest.fixture
def agent(start: Starter) -> RunningAgent:
    return start.ready()


@pytest.fixture
async def public(agent: RunningAgent, upstream: Upstream, http: aiohttp.ClientSession) -> str:
    """The public address of the upstream."""
    body = {"name": "a", "upstream": {"url": upstream.url}}
    async with http.post(f"{agent.api}/api/endpoints", json=body) as answer:
        return str((await answer.json())["public_url"])


@pytest.fixture
def strike(agent: RunningAgent, http: aiohttp.ClientSession) -> Any:
    async def strike(what: str, **options: Any) -> None:
        await http.post(f"{agent.api}/standin/faults", json={"what": what, **options})

    return strike


async def raw(address: str, request: str) -> bytes:
    """What the edge answers, byte by byte."""
    parts = urlsplit(address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(request.encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def drained(answer: aiohttp.ClientResponse) -> None:
    while await answer.content.readany():
        pass


async def test_request_arrives_as_it_was_sent(
    public: str, upstream: Upstream, http: aiohttp.ClientSession
) -> None:
    headers = {"Range": "bytes=1-2", "User-Agent": "fetcher/1"}
    async with http.post(f"{public}/a%2Fb/%C3%A9?x=1&y=%20", data=b"body", headers=headers) as got:
        assert await got.read() == b"0123456789"
    (seen,) = upstream.seen
    assert (seen.method, seen.raw_path) == ("POST", "/a%2Fb/%C3%A9?x=1&y=%20")
    assert (seen.headers["Range"], seen.headers["User-Agent"]) == ("bytes=1-2", "fetcher/1")
    assert upstream.bodies == [b"body"]


async def test_answer_arrives_as_it_was_given(
    public: str, upstream: Upstream, http: aiohttp.ClientSession
) -> None:
    upstream.status = 206
    upstream.headers = {"Content-Range": "bytes 0-9/20", "ETag": '"e"', "Content-Encoding": "gzip"}
    async with http.get(public) as got:
        assert (got.status, await got.read()) == (206, b"0123456789")
        assert {name: got.headers[name] for name in upstream.headers} == upstream.headers


async def test_head_has_the_length_and_no_body(public: str) -> None:
    answer = await raw(public, "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Length: 10" in head
    assert body == b""


async def test_who_asked_is_appended(public: str, upstream: Upstream) -> None:
    await raw(
        public, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n"
    )
    headers = upstream.seen[0].headers
    assert headers["X-Forwarded-For"] == "1.2.3.4, 127.0.0.1"
    assert (headers["X-Forwarded-Host"], headers["X-Forwarded-Proto"]) == ("h", "http")
    assert headers["Host"] == "h"


async def test_hop_by_hop_headers_stay_on_their_hop(public: str, upstream: Upstream) -> None:
    upstream.headers = {"Connection": "X-Back", "X-Back": "1", "Keep-Alive": "3", "X-Stays": "1"}
    answer = await raw(
        public,
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: close, X-There\r\nX-There: 1\r\nTE: trailers\r\n"
        "X-Stays: 1\r\n\r\n",
    )
    there = {name.lower() for name in upstream.seen[0].headers}
    assert "x-stays" in there
    assert not there & {"x-there", "te"}
    assert b"X-Stays: 1" in answer
    assert b"X-Back" not in answer
    assert b"Keep-Alive" not in answer


async def test_upstream_cannot_speak_for_the_edge(
    public: str, upstream: Upstream, http: aiohttp.ClientSession
) -> None:
    upstream.headers = {"ngrok-error-code": "ERR_NGROK_725"}
    async with http.get(public) as got:
        assert "ngrok-error-code" not in got.headers


async def test_reader_that_stalls_stalls_the_upstream(public: str, upstream: Upstream) -> None:
    """Back-pressure: what nobody reads piles up in socket buffers at most."""
    upstream.endless = True
    parts = urlsplit(public)
    with socket.create_connection((parts.hostname, parts.port)) as reader:
        reader.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        seen = [-1, 0]

        async def stalled() -> bool:
            await asyncio.sleep(0.2)
            seen.append(upstream.sent)
            return seen[-1] == seen[-2] > 0

        while not await stalled():
            assert upstream.sent < 64 * 1024 * 1024
        assert upstream.sent < 64 * 1024 * 1024


async def test_local_server_that_is_down_is_a_502(
    agent: RunningAgent, http: aiohttp.ClientSession
) -> None:
    body = {"name": "down", "upstream": {"url": "http://127.0.0.1:9"}}
    async with http.post(f"{agent.api}/api/endpoints", json=body) as answer:
        public = (await answer.json())["public_url"]
    async with http.get(public) as got:
        assert (got.status, got.headers["ngrok-error-code"]) == (502, "ERR_NGROK_8012")


async def test_lost_session_is_a_404_until_it_is_back(
    public: str, http: aiohttp.ClientSession, strike: Any
) -> None:
    await strike("drop", seconds=3)
    async with http.get(public) as got:
        assert (got.status, got.headers["ngrok-error-code"]) == (404, "ERR_NGROK_3200")
    while got.status == 404:
        async with http.get(public) as got:
            pass
    assert got.status == 200


async def test_lost_session_breaks_what_is_under_way(
    public: str, upstream: Upstream, http: aiohttp.ClientSession, strike: Any
) -> None:
    upstream.endless = True
    async with http.get(public) as got:
        await strike("drop", seconds=60)
        with pytest.raises(aiohttp.ClientError):
            await asyncio.wait_for(drained(got), 20)


async def test_quota_page_comes_as_often_as_asked(
    public: str, upstream: Upstream, http: aiohttp.ClientSession, strike: Any
) -> None:
    await strike("quota_page", code=726, requests=2)
    codes = []
    for _ in range(3):
        async with http.get(public) as got:
            codes.append(got.headers.get("ngrok-error-code"))
    assert codes == ["ERR_NGROK_726", "ERR_NGROK_726", None]
    assert len(upstream.seen) == 1


async def test_free_plan_warns_browsers_only(
    public: str, http: aiohttp.ClientSession, strike: Any
) -> None:
    await strike("free_plan", requests=-1)
    pages = {}
    for agent in ("Mozilla/5.0 (X11)", "fetcher/1"):
        async with http.get(public, headers={"User-Agent": agent}) as got:
            pages[agent] = got.headers.get("ngrok-error-code")
    assert pages == {"Mozilla/5.0 (X11)": "ERR_NGROK_6024", "fetcher/1": None}


async def test_cut_ends_the_body_where_told(
    public: str, http: aiohttp.ClientSession, strike: Any
) -> None:
    await strike("cut", after_bytes=4)
    async with http.get(public) as got:
        assert got.content_length == 10
        assert await got.content.readexactly(4) == b"0123"
        with pytest.raises(aiohttp.ClientPayloadError):
            await got.content.read()
    async with http.get(public) as got:
        assert await got.read() == b"0123456789"


async def test_new_address_leaves_the_old_one_dead(
    agent: RunningAgent, public: str, http: aiohttp.ClientSession, strike: Any
) -> None:
    await strike("new_address")
    with pytest.raises(aiohttp.ClientConnectorError):
        await http.get(public)
    async with http.get(f"{agent.api}/api/endpoints") as got:
        (endpoint,) = (await got.json())["endpoints"]
    assert endpoint["url"] != public
    async with http.get(endpoint["url"]) as got:
        assert got.status == 200


async def test_client_that_leaves_frees_the_upstream(
    public: str, upstream: Upstream, http: aiohttp.ClientSession
) -> None:
    upstream.endless = True
    async with http.get(public) as got:
        await got.content.read(1)
    await wait_until(lambda: upstream.seen[0].transport is None, description="the hang-up")
