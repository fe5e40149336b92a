"""Direct upload: a placeholder asked for once, and parts that arrive whole or say why not."""

from __future__ import annotations

import asyncio
import hashlib
import random
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from postflow.delivery.unfinished import can_go_on_after
from postflow.errors import Fatal, PostFlowError, Retry
from postflow.frameio import FrameioClient
from postflow.frameio.auth.login import localhost_tls
from postflow.frameio.parts import PartRetries, PartStore, Receipt, expires_at
from postflow.models import Folder, Placeholder, Project, UploadPart
from postflow.sandbox import Sandbox
from tests.frameio.connecting import calls, connected, project_of

UPLOAD, PUT = "files.local_upload", "parts.put"
NAME = "SQ07_UNDLM_00152_v003.mov"
BYTES = random.Random(9).randbytes(250_001)
QUICK = PartRetries(backoff=0.01, longest_backoff=0.02, silence=15.0, attempts=4)
PARTS = 3
SHA256 = hashlib.sha256(BYTES).hexdigest()


@pytest.fixture
def world() -> Iterator[Sandbox]:
    with Sandbox(rate_scale=100, part_bytes=100_000) as running:
        yield running


@pytest.fixture
async def folder(client: FrameioClient, project: Project) -> Folder:
    return await client.folders.ensure(project, ("SQ07",))


async def begun(client: FrameioClient, folder: Folder, size: int = len(BYTES)) -> Placeholder:
    return await client.files.local_upload(folder, NAME, size, known=frozenset())


def pieces(part: UploadPart) -> Iterator[bytes]:
    for start in range(part.start, part.stop, 30_000):
        yield BYTES[start : min(start + 30_000, part.stop)]


def put_all(made: Placeholder, retries: PartRetries = QUICK) -> list[Receipt]:
    with closing(PartStore(made.media_type, "video/quicktime", retries=retries)) as store:
        return [store.put(part, partial(pieces, part)) for part in made.parts]


async def whole(client: FrameioClient, made: Placeholder) -> int | None:
    for _ in range(500):
        if (await client.files.status(made.remote)).complete:
            return (await client.files.show(made.remote.account_id, made.remote.id)).size
        await asyncio.sleep(0.01)
    raise AssertionError("The upload did not complete.")


def the_bytes(world: Sandbox) -> str:
    (asset,) = world.assets()
    return str(asset["sha256"])


async def test_the_parts_become_the_file(
    world: Sandbox, client: FrameioClient, folder: Folder
) -> None:
    made = await begun(client, folder)
    assert [(part.number, part.start) for part in made.parts] == [(1, 0), (2, 83334), (3, 166668)]
    assert all(receipt.is_proven for receipt in put_all(made))
    assert await whole(client, made) == len(BYTES)
    assert the_bytes(world) == SHA256


@pytest.mark.parametrize(
    "fault",
    [
        {"what": "lost_answer"},
        {"what": "lost_answer", "code": 502},
        {"what": "lost_answer", "times": 2},
        {"what": "reset", "times": 2},
        {"what": "status", "code": 503, "times": 2},
        {"what": "rate_limited"},
        {"what": "token_expiry"},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
async def test_whatever_happens_to_the_request_there_is_one_placeholder(
    world: Sandbox, client: FrameioClient, folder: Folder, fault: dict[str, Any]
) -> None:
    """Of an answer that was lost nobody has the addresses: its placeholder is removed."""
    world.fault(where=UPLOAD, **fault)
    made = await begun(client, folder)
    assert [asset["id"] for asset in world.assets()] == [made.remote.id]
    put_all(made)
    assert await whole(client, made) == len(BYTES)


async def test_another_upload_of_that_name_is_not_removed(
    world: Sandbox, client: FrameioClient, folder: Folder
) -> None:
    other = await begun(client, folder, size=5)
    world.fault("lost_answer", UPLOAD)
    made = await begun(client, folder)
    assert {asset["id"] for asset in world.assets()} == {other.remote.id, made.remote.id}


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(
    "fault",
    [
        {"what": "status", "code": 500},
        {"what": "status", "code": 503, "times": 2},
        {"what": "status", "code": 429},
        {"what": "reset"},
        {"what": "cut", "after_bytes": 40_000},
        {"what": "delay", "seconds": 0.05},
        {"what": "rate", "bytes_per_second": 2_000_000},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
async def test_after_a_fault_that_passes_every_part_is_there(
    world: Sandbox, client: FrameioClient, folder: Folder, part: int, fault: dict[str, Any]
) -> None:
    made = await begun(client, folder)
    world.fault(where=PUT, skip=part, **fault)
    assert all(receipt.is_proven for receipt in put_all(made))
    assert await whole(client, made) == len(BYTES)
    assert the_bytes(world) == SHA256


@pytest.mark.parametrize("part", range(PARTS - 1))
@pytest.mark.parametrize("what", ["corrupt", "lost_answer"])
async def test_a_part_that_may_not_be_there_as_it_was_sent_is_sent_again(
    world: Sandbox, client: FrameioClient, folder: Folder, part: int, what: str
) -> None:
    made = await begun(client, folder)
    world.fault(what, PUT, skip=part)
    put_all(made)
    assert await whole(client, made) == len(BYTES)
    assert the_bytes(world) == SHA256
    assert calls(world, PUT) == PARTS + 1


REFUSALS = [
    ({"what": "expired"}, "frameio.parts_expired"),
    ({"what": "status", "code": 403}, "frameio.part_refused"),
    ({"what": "status", "code": 404}, "frameio.part_refused"),
    ({"what": "status", "code": 307}, "frameio.part_refused"),
    ({"what": "corrupt", "times": 4}, "frameio.part_altered"),
    ({"what": "status", "code": 500, "times": 4}, "frameio.busy"),
    ({"what": "reset", "times": 4}, "frameio.unreachable"),
    ({"what": "delay", "seconds": 600, "times": 4}, "frameio.unreachable"),
]


@pytest.mark.parametrize(("fault", "code"), REFUSALS, ids=lambda value: str(value))
async def test_what_stays_is_a_clear_failure(
    world: Sandbox, client: FrameioClient, folder: Folder, fault: dict[str, Any], code: str
) -> None:
    made = await begun(client, folder)
    world.fault(where=PUT, **fault)
    hasty = QUICK.model_copy(update={"silence": 0.2 if fault["what"] == "delay" else 15.0})
    with pytest.raises(Retry) as raised:
        put_all(made, hasty)
    world.release()
    assert raised.value.code == code
    assert can_go_on_after(raised.value) == (code in {"frameio.busy", "frameio.unreachable"})
    secret = made.parts[0].url.get_secret_value().rpartition("=")[2]
    assert secret not in f"{raised.value!r} {raised.value.__cause__!r} {made!r}"


@pytest.mark.parametrize("etag", ["other", "none"])
async def test_an_etag_that_is_no_md5_proves_nothing_and_is_no_fault(
    tmp_path: Path, etag: str
) -> None:
    with Sandbox(part_etag=etag, rate_scale=100) as world:
        async with connected(world, tmp_path) as client:
            folder = await client.folders.ensure(project_of(world), ())
            made = await begun(client, folder)
            assert [receipt.is_proven for receipt in put_all(made)] == [False]
            assert await whole(client, made) == len(BYTES)


async def test_what_is_compared_with_nothing_is_not_hashed_and_no_proof_is_lost_by_it(
    tmp_path: Path,
) -> None:
    """Sent twice is a part whose MD5 is told after all; the last one cannot be, so it is hashed."""
    with Sandbox(part_etag="other", part_bytes=50_000, rate_scale=100) as world:
        async with connected(world, tmp_path) as client:
            folder = await client.folders.ensure(project_of(world), ())
            made = await begun(client, folder)
            turns = zip(made.parts, ["other", "md5", "md5", "none", "md5"], strict=False)
            with closing(PartStore(made.media_type, "video/quicktime", retries=QUICK)) as store:
                heard = []
                for part, etag in turns:
                    world.turn(part_etag=etag)
                    before = calls(world, PUT)
                    receipt = store.put(part, partial(pieces, part))
                    heard.append((receipt.is_proven, calls(world, PUT) - before))
            assert heard == [(False, 1), (True, 2), (True, 1), (False, 1), (True, 1)]
            *_, before_last, last = made.parts
            with closing(PartStore(made.media_type, "video/quicktime", retries=QUICK)) as store:
                world.turn(part_etag="none")
                store.put(before_last, partial(pieces, before_last))
                world.turn(part_etag="md5")
                before = calls(world, PUT)
                assert store.put(last, partial(pieces, last), is_last=True).is_proven
                assert calls(world, PUT) == before + 1
            assert await whole(client, made) == len(BYTES)


@pytest.mark.parametrize("known_at", ["upload", "creation"])
@pytest.mark.parametrize("signed", ["always", "guessed", "never"])
async def test_the_content_type_is_what_was_signed(
    tmp_path: Path, signed: str, known_at: str
) -> None:
    switches: dict[str, Any] = {"signed_content_type": signed, "media_type_at": known_at}
    with Sandbox(part_bytes=100_000, rate_scale=100, **switches) as world:
        async with connected(world, tmp_path) as client:
            folder = await client.folders.ensure(project_of(world), ())
            made = await begun(client, folder)
            put_all(made)
            assert await whole(client, made) == len(BYTES)
            # once it is known, no other is tried
            assert calls(world, PUT) <= PARTS + 1


def test_only_what_was_signed_is_sent() -> None:
    """To the letter: a part store takes a further `x-amz-` header for a forgery."""
    with Listener() as store:
        put_one(f"{store.url}/part_1?X-Amz-SignedHeaders=host%3Bx-amz-acl&X-Amz-Signature=a%2Fb")
    line, *headers = store.heard.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
    assert line == "PUT /part_1?X-Amz-SignedHeaders=host%3Bx-amz-acl&X-Amz-Signature=a%2Fb HTTP/1.1"
    assert sorted(header.partition(":")[0].lower() for header in headers) == [
        "content-length",
        "host",
        "x-amz-acl",
    ]


def test_a_header_that_nobody_knows_is_named() -> None:
    with pytest.raises(Fatal) as raised:
        put_one("http://127.0.0.1:9/part_1?X-Amz-SignedHeaders=host;x-amz-meta-reel")
    assert raised.value.code == "frameio.part_header"
    assert "x-amz-meta-reel" in raised.value.message


def test_a_store_without_a_certificate_that_counts_gets_nothing() -> None:
    with Listener(localhost_tls()) as store, pytest.raises(PostFlowError) as raised:
        put_one(store.url.replace("http://127.0.0.1", "https://localhost"))
    assert raised.value.code == "frameio.unreachable"
    assert "at localhost." in raised.value.message
    assert "SSL_CERT_FILE" in raised.value.hint
    assert store.heard == b""


def test_what_the_address_says_of_its_end_is_understood() -> None:
    part = UploadPart(number=1, start=0, size=1, url=SecretStr("http://a/b?X-Amz-Expires=1e9"))
    assert expires_at(part) is None
    dated = SecretStr("http://a/b?X-Amz-Date=20261127T060000Z&X-Amz-Expires=3600")
    assert str(expires_at(part.model_copy(update={"url": dated}))) == "2026-11-27 07:00:00+00:00"


def put_one(url: str) -> None:
    part = UploadPart(number=1, start=0, size=1000, url=SecretStr(url))
    with closing(PartStore(None, "video/quicktime", retries=QUICK)) as store:
        store.put(part, partial(pieces, part))


class Listener:
    """A socket that notes what it hears, and answers 200 to one request."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls

    def __enter__(self) -> Listener:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.heard = b""
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                tls = self._tls and self._tls.wrap_socket(connection, server_side=True)
                self._answer(tls or connection)

    def _answer(self, connection: socket.socket) -> None:
        said = b""
        while not said.endswith(BYTES[970:1000]):
            piece = connection.recv(4096)
            said += piece
            self.heard += piece
            if not piece:
                return
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
