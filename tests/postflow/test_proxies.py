"""A SOCKS proxy that the environment names is one for all that goes out."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from postflow.errors import Fatal
from postflow.frameio.parts import PartStore
from postflow.models import Folder
from postflow.outlet.probe import probe
from postflow.sandbox import Sandbox
from postflow.service.server import prepare_prefect
from tests.frameio.connecting import connected, project_of

BYTES = b"clip" * 100


@pytest.fixture
def world() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
async def passed(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[int]]:
    """The ports that were asked for by way of the proxy."""
    ports: list[int] = []
    served: list[asyncio.Task[None] | None] = []

    async def serve(near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """RFC 1928: no password, CONNECT to an address or a name."""
        served.append(asyncio.current_task())
        await near.readexactly((await near.readexactly(2))[1])
        back.write(b"\x05\x00")
        kind = (await near.readexactly(4))[3]
        length = 4 if kind == 1 else (await near.readexactly(1))[0]
        await near.readexactly(length)
        (port,) = struct.unpack(">H", await near.readexactly(2))
        ports.append(port)
        far, there = await asyncio.open_connection("127.0.0.1", port)
        back.write(b"\x05\x00\x00\x01" + bytes(6))
        await asyncio.gather(_pass_on(near, there), _pass_on(far, back))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for name in ("no_proxy", "NO_PROXY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{port}")
    yield ports
    server.close()
    await asyncio.gather(*filter(None, served))


async def _pass_on(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := await source.read(1 << 16):
            to.write(piece)
    to.close()
    with contextlib.suppress(ConnectionError):
        await to.wait_closed()


async def test_all_go_by_a_socks_proxy(passed: list[int], world: Sandbox, tmp_path: Path) -> None:
    port = int(world.url.rpartition(":")[2])
    project = project_of(world)
    root = Folder(
        id=world.root_folder_id, account_id=world.account_id, project_id=project.id, path=()
    )
    async with connected(world, tmp_path) as client:
        made = await client.files.local_upload(root, "a.mov", len(BYTES), known=frozenset())
    assert passed
    assert set(passed) == {port}

    passed.clear()
    store = PartStore(made.media_type, "video/quicktime")
    receipt = await asyncio.to_thread(store.put, made.parts[0], lambda: iter([BYTES]))
    store.close()
    assert (receipt.is_proven, passed) == (True, [port])

    passed.clear()
    with pytest.raises(Exception, match="status"):
        await probe(made.parts[0].url, len(BYTES), timeout=0.1)
    assert passed == [port]


def test_a_proxy_of_another_kind_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks4://:canary@127.0.0.1:1080")
    with pytest.raises(Fatal, match="ALL_PROXY") as failure:
        prepare_prefect(alone=False)
    assert failure.value.code == "postflow.proxy"
    assert "canary" not in str(failure.value)
