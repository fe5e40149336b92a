"""The part store takes what was signed, and nothing else."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import httpx
import pytest

from postflow.sandbox import Sandbox
from postflow.sandbox.frameio.uploads import part_sizes
from tests.sandbox.caller import Caller, asset, wait_for_status

BODY = random.Random(3).randbytes(250_001)
SIGNED = {"Content-Type": "application/octet-stream", "x-amz-acl": "private"}


def create(caller: Caller, size: int = len(BODY)) -> dict[str, Any]:
    path = f"/folders/{caller.world.root_folder_id}/files/local_upload"
    answer = caller.post(path, name="clip.mov", file_size=size)
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["data"])


def put(
    part: dict[str, Any], body: bytes | Iterator[bytes], **change: str | None
) -> httpx.Response:
    headers = {key: value for key, value in (SIGNED | change).items() if value is not None}
    return httpx.put(part["url"], content=body, headers=headers)


def code(answer: httpx.Response) -> str:
    assert answer.headers["content-type"].startswith("application/xml")
    return ElementTree.fromstring(answer.text).findtext("Code") or ""


def pieces(sizes: list[int]) -> Iterator[bytes]:
    start = 0
    for size in sizes:
        yield BODY[start : start + size]
        start += size


@pytest.fixture
def world() -> Iterator[Sandbox]:
    with Sandbox(part_bytes=100_000, rate_limits=False) as running:
        yield running


def test_parts_put_in_any_order_become_the_file(world: Sandbox, caller: Caller) -> None:
    file = create(caller)
    parts = file["upload_urls"]
    bodies = list(pieces([part["size"] for part in parts]))

    for part, body in reversed(list(zip(parts, bodies, strict=True))):
        assert caller.status(file["id"])["upload_complete"] is False
        answer = put(part, body)
        assert answer.status_code == 200
        assert answer.headers["etag"] == f'"{hashlib.md5(body).hexdigest()}"'

    row = wait_for_status(world, file["id"], "transcoded")
    assert (row["size"], row["sha256"]) == (len(BODY), hashlib.sha256(BODY).hexdigest())


def test_sizes_are_those_of_the_documented_example() -> None:
    assert part_sizes(50_645_990, 20 << 20) == [16_881_997, 16_881_997, 16_881_996]
    assert part_sizes(1, 20 << 20) == [1]
    assert len(part_sizes(5 * 10**12, 20 << 20)) <= 10_000
    assert sum(part_sizes(5 * 10**12, 20 << 20)) == 5 * 10**12


@pytest.mark.parametrize(
    "change",
    [{"Content-Type": "video/quicktime"}, {"x-amz-acl": None}, {"x-amz-acl": "public-read"}],
)
def test_header_that_was_signed_otherwise_is_403(
    world: Sandbox, caller: Caller, change: dict[str, str | None]
) -> None:
    part = create(caller)["upload_urls"][0]

    answer = put(part, BODY[: part["size"]], **change)

    assert (answer.status_code, code(answer)) == (403, "SignatureDoesNotMatch")


def test_tampered_address_is_403(caller: Caller) -> None:
    file = create(caller)
    part = file["upload_urls"][0]
    longer = part["url"].replace("X-Amz-Expires=86400", "X-Amz-Expires=864000")
    other = part["url"].replace("part_1?", "part_2?")

    answers = [httpx.put(url, content=b"a", headers=SIGNED) for url in (longer, other)]

    assert [code(answer) for answer in answers] == ["SignatureDoesNotMatch"] * 2


def test_address_expires() -> None:
    with Sandbox(part_url_seconds=0) as world, Caller(world) as caller:
        answer = put(create(caller)["upload_urls"][0], BODY)

    assert (answer.status_code, code(answer)) == (403, "AccessDenied")
    assert "expired" in answer.text


def test_body_without_a_length_is_411(caller: Caller) -> None:
    """S3 takes no chunked transfer."""
    answer = put(create(caller)["upload_urls"][0], iter([BODY]))

    assert (answer.status_code, code(answer)) == (411, "MissingContentLength")


def test_address_tells_its_expiry_and_what_was_signed(caller: Caller) -> None:
    query = parse_qs(urlsplit(create(caller)["upload_urls"][0]["url"]).query)

    assert query["X-Amz-Expires"] == ["86400"]
    assert query["X-Amz-SignedHeaders"] == ["content-type;host;x-amz-acl"]


def test_switch_leaves_content_type_unsigned() -> None:
    with Sandbox(signed_content_type="never") as world, Caller(world) as caller:
        file = create(caller)
        answer = put(file["upload_urls"][0], BODY, **{"Content-Type": "video/quicktime"})
        row = wait_for_status(world, file["id"], "transcoded")

    assert answer.status_code == 200
    assert row["size"] == len(BODY)


def test_known_media_type_is_the_signed_one() -> None:
    with Sandbox(media_type_at="creation") as world, Caller(world) as caller:
        part = create(caller)["upload_urls"][0]
        answers = [put(part, BODY), put(part, BODY, **{"Content-Type": "video/quicktime"})]

    assert [answer.status_code for answer in answers] == [403, 200]


def test_part_put_again_replaces_the_first(world: Sandbox, caller: Caller) -> None:
    file = create(caller)
    parts = file["upload_urls"]
    bodies = list(pieces([part["size"] for part in parts]))

    put(parts[0], b"\0" * len(bodies[0]))
    for part, body in zip(parts, bodies, strict=True):
        put(part, body)

    row = wait_for_status(world, file["id"], "transcoded")
    assert row["sha256"] == hashlib.sha256(BODY).hexdigest()


def test_short_part_makes_a_short_file(world: Sandbox, caller: Caller) -> None:
    """Nobody checks a part's size: the file's size tells in the end."""
    file = create(caller, 1000)

    put(file["upload_urls"][0], b"short")

    assert wait_for_status(world, file["id"], "transcoded")["size"] == 5
    assert caller.file(file["id"])["file_size"] == 5


def test_file_deleted_meanwhile_takes_no_parts(world: Sandbox, caller: Caller) -> None:
    file = create(caller)
    caller.delete(f"/files/{file['id']}")

    answer = put(file["upload_urls"][0], BODY)

    assert (answer.status_code, code(answer)) == (404, "NoSuchKey")
    assert world.assets() == []


def test_placeholder_waits_for_its_parts(world: Sandbox, caller: Caller) -> None:
    row = asset(world, create(caller)["id"])

    assert (row["status"], row["sha256"], row["size"]) == ("created", "", len(BODY))
