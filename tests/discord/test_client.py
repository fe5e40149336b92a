"""The client against a webhook that behaves like Discord, at its best and at its worst."""

from __future__ import annotations

import asyncio
import logging
import socket

import httpx
import pytest
from pydantic import SecretStr

from postflow.discord import Card, DiscordClient
from postflow.errors import Fatal, Retry
from tests.discord.conftest import NOON, Channel, serving

CARD = Card(title="on its way", colour=0xFFA500, at=NOON)
READY = Card(title="ready", colour=0x00FF00, at=NOON)


def titles(channel: Channel) -> list[str]:
    return [m["embeds"][0]["title"] for m in channel.world.messages if not m["deleted"]]


async def test_message_is_posted_once_and_then_edited(channel: Channel) -> None:
    async with DiscordClient(channel.url) as discord:
        message_id = await discord.post(CARD)
        assert await discord.edit(message_id, READY) == message_id

    (message,) = channel.world.messages
    assert message["id"] == message_id
    assert titles(channel) == ["ready"]
    assert [edit["embeds"][0]["title"] for edit in message["edits"]] == ["on its way"]


def pictures(channel: Channel) -> list[tuple[bytes, bool]]:
    """The files that are attached, and whether the message's embed shows each."""
    data = channel.world.attachments.data
    return [
        (data[each["id"]].data, each["url"] == m["embeds"][0].get("image", {}).get("url"))
        for m in channel.world.messages
        for each in m["attachments"]
    ]


async def test_a_picture_is_shown_replaced_and_taken_away_with_the_message(
    channel: Channel,
) -> None:
    async with DiscordClient(channel.url) as discord:
        message_id = await discord.post(CARD, b"first")
        assert pictures(channel) == [(b"first", True)]
        await discord.edit(message_id, READY, b"second")
        assert pictures(channel) == [(b"second", True)]
        await discord.edit(message_id, READY)
        assert pictures(channel) == []


@pytest.mark.parametrize("edits", [False, True], ids=["posts", "edits"])
async def test_a_picture_that_discord_does_not_take_holds_up_no_message(edits: bool) -> None:
    async for channel in serving(attachment_limit=4):
        async with DiscordClient(channel.url) as discord:
            if edits:
                await discord.edit(await discord.post(CARD), READY, b"too large")
            else:
                await discord.post(READY, b"too large")
        assert (titles(channel), pictures(channel)) == (["ready"], [])


async def test_buttons_come_and_go_with_the_card(channel: Channel) -> None:
    links = [("Open in Frame.io", "https://next.frame.io/x"), ("For guests", "https://f.io/s")]
    linked = READY.model_copy(update={"buttons": tuple(links)})
    async with DiscordClient(channel.url) as discord:
        message_id = await discord.post(CARD)
        await discord.edit(message_id, linked)
        (row,) = channel.world.messages[0]["components"]
        assert [(each["label"], each["url"]) for each in row["components"]] == links
        await discord.edit(message_id, CARD)
    assert channel.world.messages[0]["components"] == []


async def test_check_tells_the_webhooks_name(channel: Channel) -> None:
    async with DiscordClient(channel.url) as discord:
        assert await discord.check() == "PostFlow sandbox"


async def test_rate_limit_is_waited_for_as_long_as_discord_says(busy_channel: Channel) -> None:
    async with DiscordClient(busy_channel.url) as discord:
        ids = await asyncio.gather(*(discord.post(CARD) for _ in range(8)))

    assert len(set(ids)) == len(busy_channel.world.messages) == 8


async def test_wait_longer_than_patience_is_left_to_the_caller(channel: Channel) -> None:
    channel.faults.arm("rate_limited", "discord.post", retry_after=120)

    async with DiscordClient(channel.url) as discord:
        with pytest.raises(Retry) as refusal:
            await discord.post(CARD)

    assert refusal.value.code == "discord.rate_limited"
    assert refusal.value.retry_after == pytest.approx(120)
    assert channel.world.messages == []


async def test_rate_limit_without_a_readable_body_is_obeyed_by_its_header() -> None:
    """Cloudflare's own 429 is HTML, with the seconds in Retry-After."""

    def banned(request: httpx.Request) -> httpx.Response:
        return httpx.Response(429, headers={"Retry-After": "600"}, text="<html>banned</html>")

    client = DiscordClient(
        SecretStr("https://discord.com/api/webhooks/1/x"), transport=httpx.MockTransport(banned)
    )
    async with client as discord:
        with pytest.raises(Retry) as refusal:
            await discord.post(CARD)
    assert refusal.value.retry_after == 600


async def test_deleted_webhook_needs_a_person(channel: Channel) -> None:
    async with DiscordClient(channel.url) as discord:
        message_id = await discord.post(CARD)
        channel.world.delete_webhook()
        for call in (discord.post(CARD), discord.edit(message_id, READY), discord.check()):
            with pytest.raises(Fatal) as refusal:
                await call
            assert refusal.value.code == "discord.webhook_gone"
            assert "postflow setup" in refusal.value.hint


async def test_wrong_token_needs_a_person(channel: Channel) -> None:
    async with DiscordClient(SecretStr(channel.url.get_secret_value() + "x")) as discord:
        with pytest.raises(Fatal) as refusal:
            await discord.check()
    assert refusal.value.code == "discord.webhook_gone"


async def test_edit_of_a_deleted_message_posts_a_new_one(channel: Channel) -> None:
    async with DiscordClient(channel.url) as discord:
        message_id = await discord.post(CARD)
        async with httpx.AsyncClient() as somebody:
            await somebody.delete(f"{channel.url.get_secret_value()}/messages/{message_id}")

        new_id = await discord.edit(message_id, READY)

    assert new_id != message_id
    assert titles(channel) == ["ready"]


@pytest.mark.parametrize("fault", ["lost_answer", "reset"])
async def test_post_whose_answer_was_lost_is_not_repeated(channel: Channel, fault: str) -> None:
    channel.faults.arm(fault, "discord.post")

    async with DiscordClient(channel.url) as discord:
        with pytest.raises(Retry) as refusal:
            await discord.post(CARD)

    assert refusal.value.code == "discord.unknown_outcome"
    assert len(channel.world.messages) == (1 if fault == "lost_answer" else 0)


@pytest.mark.parametrize("code", [500, 502, 503, 524])
async def test_post_answered_by_a_server_error_is_not_repeated(channel: Channel, code: int) -> None:
    channel.faults.arm("status", "discord.post", code=code)

    async with DiscordClient(channel.url) as discord:
        with pytest.raises(Retry) as refusal:
            await discord.post(CARD)

    assert refusal.value.code == "discord.unknown_outcome"
    assert channel.world.messages == []


@pytest.mark.parametrize("fault", ["lost_answer", "reset", "status"])
async def test_edit_is_repeated_as_it_does_no_harm(channel: Channel, fault: str) -> None:
    async with DiscordClient(channel.url) as discord:
        message_id = await discord.post(CARD)
        channel.faults.arm(fault, "discord.patch", code=502)

        assert await discord.edit(message_id, READY) == message_id

    assert titles(channel) == ["ready"]


async def test_discord_out_of_reach_is_a_retry_and_ends(channel: Channel) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}{channel.world.webhook_path}"
        async with DiscordClient(SecretStr(nobody), timeout=0.3) as discord:
            with pytest.raises(Retry) as refusal:
                await discord.post(CARD)

    assert refusal.value.code == "discord.unavailable"


async def test_message_discord_refuses_is_told_with_discords_words(channel: Channel) -> None:
    too_long = CARD.model_copy(update={"title": "x" * 300})

    async with DiscordClient(channel.url) as discord:
        with pytest.raises(Fatal, match="Must be 256 or fewer in length") as refusal:
            await discord.post(too_long)
    assert refusal.value.code == "discord.refused"


@pytest.mark.parametrize("message_id", ["", "../x", "1/../2", "abc"])
async def test_message_id_is_never_a_path(channel: Channel, message_id: str) -> None:
    async with DiscordClient(channel.url) as discord:
        with pytest.raises(Fatal):
            await discord.edit(message_id, READY)


async def test_thread_of_the_webhooks_url_is_kept() -> None:
    seen: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url)
        return httpx.Response(200, json={"id": "5"})

    url = SecretStr("https://discord.com/api/v10/webhooks/1/x?thread_id=9")
    async with DiscordClient(url, transport=httpx.MockTransport(answer)) as discord:
        await discord.edit(await discord.post(CARD), READY)

    assert [str(url) for url in seen] == [
        "https://discord.com/api/v10/webhooks/1/x?thread_id=9&with_components=true&wait=true",
        "https://discord.com/api/v10/webhooks/1/x/messages/5?thread_id=9&with_components=true",
    ]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "not a url",
        "http://discord.com/api/webhooks/1/canary",
        "https://discord.com/channels/1/canary",
        "https://discord.com/api/webhooks/1/canary/github",
        "ftp://discord.com/api/webhooks/1/canary",
        "https://discord.com/api/webhooks/1/can ary\x00",
    ],
)
def test_url_that_is_no_webhooks_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(Fatal) as refusal:
        DiscordClient(SecretStr(url))
    assert refusal.value.code == "discord.webhook_invalid"
    assert "canary" not in f"{refusal.value}{refusal.value.__cause__}"


@pytest.mark.parametrize("fault", [None, "lost_answer", "status", "rate_limited", "gone", "away"])
async def test_the_webhooks_token_is_in_no_log_error_or_repr(
    channel: Channel, fault: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """All loggers at DEBUG, httpx and httpcore too; the error with its whole chain and requests."""
    caplog.set_level(logging.DEBUG)
    url = channel.url.get_secret_value()
    token = url.rsplit("/", 1)[1]
    if fault == "gone":
        channel.world.delete_webhook()
    elif fault == "away":
        url = url.replace(url.split("/")[2], "127.0.0.1:9")
    elif fault:
        channel.faults.arm(fault, "discord.*", times=None, code=500, retry_after=9)

    told = ""
    async with DiscordClient(SecretStr(url), timeout=0.1) as discord:
        for call in (discord.post(CARD), discord.edit("1", READY), discord.check()):
            try:
                await call
            except (Fatal, Retry) as error:
                told += _everything_of(error)
        told += repr(discord) + repr(vars(discord))

    assert ("HTTP Request: POST" in caplog.text) == (fault not in {"lost_answer", "away"})
    own = [r for r in caplog.records if not r.name.startswith(("aiohttp", "asyncio"))]
    assert own
    assert token not in "".join(r.getMessage() for r in own)
    assert token not in told


def _everything_of(error: BaseException | None) -> str:
    told = ""
    while error:
        request = getattr(error, "_request", None)
        told += f"{error!r} {error} {vars(error)} {request.url if request else ''}"
        error = error.__cause__ or error.__context__
    return told
