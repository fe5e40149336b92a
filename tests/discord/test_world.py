"""The sandbox's webhook answers as Discord's documentation says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.discord.conftest import Channel, serving

EMBED = {"embeds": [{"title": "x"}]}


Call = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
async def call(channel: Channel) -> AsyncIterator[Call]:
    """Calls the webhook: `await call("PATCH", "/messages/1", json=…)`."""
    async with httpx.AsyncClient() as client:
        url = channel.url.get_secret_value()
        yield lambda method, path="", **more: client.request(method, url + path, **more)


async def test_only_a_caller_who_waits_gets_the_message(call: Call) -> None:
    assert (await call("POST", json=EMBED)).status_code == 204
    waited = await call("POST", "?wait=true", json=EMBED)
    assert waited.status_code == 200
    assert (await call("GET", f"/messages/{waited.json()['id']}")).json() == waited.json()


async def test_webhook_shows_itself(call: Call, channel: Channel) -> None:
    shown = (await call("GET")).json()

    assert shown["type"] == 1
    assert shown["url"] == channel.url.get_secret_value()


@pytest.mark.parametrize(
    ("body", "where", "code"),
    [
        ({"content": "x" * 2001}, ["content"], "BASE_TYPE_MAX_LENGTH"),
        ({"embeds": [{"title": "x"}] * 11}, ["embeds"], "BASE_TYPE_BAD_LENGTH"),
        ({"embeds": [{"title": "x" * 257}]}, ["embeds", "0", "title"], "BASE_TYPE_MAX_LENGTH"),
        ({"embeds": [{"color": 1 << 24}]}, ["embeds", "0", "color"], "NUMBER_TYPE_MAX"),
        ({"embeds": [{"url": "nowhere"}]}, ["embeds", "0", "url"], "URL_TYPE_INVALID_URL"),
        (
            {"embeds": [{"fields": [{"name": "x", "value": ""}]}]},
            ["embeds", "0", "fields", "0", "value"],
            "BASE_TYPE_REQUIRED",
        ),
        (
            {"embeds": [{"description": "x" * 4000}] * 2},
            ["embeds"],
            "MAX_EMBED_SIZE_EXCEEDED",
        ),
    ],
)
async def test_form_beyond_a_limit_is_refused_where_it_is(
    call: Call, channel: Channel, body: dict[str, Any], where: list[str], code: str
) -> None:
    answer = await call("POST", json=body)

    assert answer.status_code == 400
    assert answer.json()["code"] == 50035
    branch = answer.json()["errors"]
    for step in where:
        branch = branch[step]
    assert branch["_errors"][0]["code"] == code
    assert channel.world.messages == []


async def test_empty_message_and_bad_json_have_codes_of_their_own(call: Call) -> None:
    assert (await call("POST", json={"content": ""})).json()["code"] == 50006
    assert (await call("POST", content=b"{")).json()["code"] == 50109


async def test_keys_are_checked(call: Call, channel: Channel) -> None:
    url = channel.url.get_secret_value()
    known = url.split("/")[-2]

    wrong_token = await call("GET", "x")
    async with httpx.AsyncClient() as client:
        unknown = await client.get(url.replace(known, "1"))
    no_message = await call("PATCH", "/messages/1", json=EMBED)

    assert (wrong_token.status_code, wrong_token.json()["code"]) == (401, 50027)
    assert (unknown.status_code, unknown.json()["code"]) == (404, 10015)
    assert (no_message.status_code, no_message.json()["code"]) == (404, 10008)


async def test_too_many_calls_are_told_when_to_come_back(busy_channel: Channel) -> None:
    async with httpx.AsyncClient() as client:
        url = busy_channel.url.get_secret_value()
        answers = [await client.get(url) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["x-ratelimit-remaining"] == "2"
    refused = answers[-1]
    assert 0 < refused.json()["retry_after"] <= 0.4
    assert refused.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("allowed", "everyone", "roles"),
    [
        (None, True, ["1", "2"]),
        ({"parse": []}, False, []),
        ({"parse": [], "roles": ["2", "3"]}, False, ["2"]),
        ({"parse": ["everyone"], "roles": ["1"]}, True, ["1"]),
    ],
)
async def test_mentions_count_unless_they_are_forbidden(
    call: Call, channel: Channel, allowed: Any, everyone: bool, roles: list[str]
) -> None:
    said = {"content": r"@everyone <@&1> <@&2> \<@&4>"} | (
        {"allowed_mentions": allowed} if allowed else {}
    )
    posted = (await call("POST", "?wait=true", json={"content": "quiet"})).json()["id"]
    await call("PATCH", f"/messages/{posted}", json=said)
    await call("POST", json=said)

    expected = {"mention_everyone": everyone, "mention_roles": roles}
    edited, new = channel.world.messages
    assert {name: edited[name] for name in expected} == expected
    assert edited["notified"] == {"mention_everyone": False, "mention_roles": []}
    assert new["notified"] == expected


JPEG = "image/jpeg"
SHOWN = {"embeds": [{"title": "x", "image": {"url": "attachment://a.jpg"}}]}


def form(payload: dict[str, Any], *names: str, size: int = 3) -> dict[str, Any]:
    files = [(f"files[{n}]", (name, b"x" * size, JPEG)) for n, name in enumerate(names)]
    return {"data": {"payload_json": json.dumps(payload)}, "files": files}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (form(SHOWN, "a.jpg"), 200, None),
        (form({"attachments": [{"id": 0, "filename": "a.jpg"}], **SHOWN}, "b.jpg"), 200, None),
        (form({}, "a.jpg"), 200, None),
        (form(SHOWN, "b.jpg"), 400, 50035),
        ({"json": SHOWN}, 400, 50035),
        (form({"attachments": [{"id": 1}]}, "a.jpg"), 400, 50035),
        (form({}, *[f"{n}.jpg" for n in range(11)]), 400, 30015),
        (form({}, "a.jpg", size=101), 413, 40005),
        ({"data": {"payload_json": "{"}, "files": [("files[0]", ("a", b"x"))]}, 400, 50109),
        (
            {"json": {"content": "x", "allowed_mentions": {"parse": ["roles"], "roles": ["1"]}}},
            400,
            50035,
        ),
    ],
)
async def test_files_are_taken_as_discord_takes_them(
    body: dict[str, Any], status: int, code: int | None
) -> None:
    async for channel in serving(attachment_limit=100):
        async with httpx.AsyncClient() as client:
            url = f"{channel.url.get_secret_value()}?wait=true"
            answer = await client.post(url, **body)
            assert (answer.status_code, answer.json().get("code")) == (status, code)
            if code is None:
                (kept,) = channel.world.messages[0]["attachments"]
                picture = await client.get(kept["url"])
                assert (picture.content, picture.headers["content-type"]) == (b"xxx", JPEG)
        assert len(channel.world.messages) == (code is None)


async def test_an_edit_keeps_the_files_it_names_and_shows_them_outside_an_embed_that_does_not(
    call: Call, channel: Channel
) -> None:
    """https://github.com/discord/discord-api-docs/issues/5675 and 1340"""
    posted = (await call("POST", "?wait=true", **form(SHOWN, "a.jpg", "b.jpg"))).json()
    assert [each["filename"] for each in posted["attachments"]] == ["b.jpg"]
    path = f"/messages/{posted['id']}"
    ids = [each["id"] for each in channel.world.messages[0]["attachments"]]

    bare = (await call("PATCH", path, json=EMBED)).json()
    assert [each["filename"] for each in bare["attachments"]] == ["a.jpg", "b.jpg"]
    again = (await call("PATCH", path, json=SHOWN | {"attachments": [{"id": ids[0]}]})).json()
    assert again["attachments"] == []
    new = {"attachments": [{"id": 0, "filename": "c.jpg"}]}
    replaced = (await call("PATCH", path, **form(EMBED | new, "c.jpg"))).json()
    assert [each["filename"] for each in replaced["attachments"]] == ["c.jpg"]


def row(**button: Any) -> dict[str, Any]:
    button = {"type": 2, "style": 5, "label": "x", "url": "https://x"} | button
    return {"components": [{"type": 1, "components": [button]}], **EMBED}


@pytest.mark.parametrize(
    ("body", "flag", "status", "shown"),
    [
        (row(), "", 200, 0),
        (row(), "&with_components=true", 200, 1),
        (row(style=1, custom_id="a"), "", 200, 0),
        (row(style=1, custom_id="a"), "&with_components=true", 400, 0),
        (row(custom_id="a"), "&with_components=true", 400, 0),
        (row(url="javascript:x"), "&with_components=true", 400, 0),
        (row(url="https://x/" + "x" * 512), "&with_components=true", 400, 0),
        (row(label="x" * 81), "&with_components=true", 400, 0),
    ],
)
async def test_a_plain_webhook_may_send_link_buttons_where_it_asks_to(
    call: Call, body: dict[str, Any], flag: str, status: int, shown: int
) -> None:
    answer = await call("POST", f"?wait=true{flag}", json=body)
    assert answer.status_code == status
    assert len(answer.json().get("components", [])) == shown


async def test_deleted_webhook_comes_back_with_a_reset(call: Call, channel: Channel) -> None:
    await call("POST", json=EMBED)
    assert (await call("DELETE")).status_code == 204
    assert (await call("GET")).status_code == 404

    channel.world.reset()

    assert (await call("GET")).status_code == 200
    assert channel.world.messages == []
