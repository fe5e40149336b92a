"""The sandbox's webhook answers as Discord's documentation says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.discord.conftest import Channel

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


async def test_mention_counts_unless_it_is_forbidden(call: Call, channel: Channel) -> None:
    await call("POST", json={"content": "@everyone"})
    await call("POST", json={"content": "@everyone", "allowed_mentions": {"parse": []}})

    assert [m["mention_everyone"] for m in channel.world.messages] == [True, False]


async def test_deleted_webhook_comes_back_with_a_reset(call: Call, channel: Channel) -> None:
    await call("POST", json=EMBED)
    assert (await call("DELETE")).status_code == 204
    assert (await call("GET")).status_code == 404

    channel.world.reset()

    assert (await call("GET")).status_code == 200
    assert channel.world.messages == []
