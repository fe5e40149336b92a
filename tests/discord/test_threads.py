"""Forums and threads: where a message goes, and what a person reads when it cannot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from postflow.blocks.discord import DiscordWebhook
from postflow.discord import DiscordClient
from postflow.discord.card import Card
from postflow.discord.cards import failed_card, notice_card, on_its_way_card, ready_card
from postflow.discord.webhook import Routes
from postflow.errors import Fatal, Retry, Skip
from postflow.models import Delivery
from postflow.sandbox.discord import DiscordWorld
from tests.discord.conftest import Channel, serving

NEW = Routes(thread_name="{sequence} {shot} {version}")


@pytest.fixture
async def forum() -> AsyncIterator[Channel]:
    async for channel in serving(channel="forum"):
        yield channel


def client(channel: Channel, routes: Routes | None = None) -> DiscordClient:
    return DiscordClient(channel.url, routes=routes, timeout=0.1)


def shown(channel: Channel) -> list[tuple[str, str]]:
    """The name of the thread that holds it, or that it is in the channel, and each title."""
    threads = channel.world.threads.known
    return [
        (
            threads[message["channel_id"]].name if message["channel_id"] in threads else "",
            message["embeds"][0]["title"],
        )
        for message in channel.world.messages
        if not message["deleted"]
    ]


async def test_each_message_of_a_forum_is_a_post_with_a_name_of_the_clip(
    forum: Channel, delivery: Delivery
) -> None:
    cards = [
        on_its_way_card(delivery.media, delivery.shot, project="UNDLM"),
        ready_card(delivery, project="UNDLM"),
        notice_card("A watched folder is lost", "Mount it."),
    ]
    async with client(forum, NEW) as discord:
        message_id = await discord.post(cards[0])
        assert await discord.edit(message_id, cards[1]) == message_id
        await discord.post(cards[2])

    assert shown(forum) == [
        ("SQ07 UNDLM_00152 v003", "SQ07 UNDLM\\_00152 v003 is ready for review"),
        ("PostFlow", "A watched folder is lost"),
    ]


@pytest.mark.parametrize("kind", ["text", "forum"])
async def test_all_messages_may_go_to_one_thread(kind: Any, delivery: Delivery) -> None:
    async for channel in serving(channel=kind):
        dailies = channel.world.threads.open("Dailies")
        async with client(channel, Routes(thread_id=dailies.id)) as discord:
            message_id = await discord.post(notice_card("one", "x"))
            await discord.edit(message_id, notice_card("two", "x"))
        assert shown(channel) == [("Dailies", "two")]


Happening = Callable[[DiscordWorld, str], object]


def archived(world: DiscordWorld, thread: str) -> None:
    world.threads.known[thread].archived = True


def locked(world: DiscordWorld, thread: str) -> None:
    world.threads.known[thread].locked = True


def archived_and_locked(world: DiscordWorld, thread: str) -> None:
    archived(world, thread)
    locked(world, thread)


def gone(world: DiscordWorld, thread: str) -> None:
    del world.threads.known[thread]


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        (archived, None),
        (locked, "discord.thread_closed"),
        (archived_and_locked, "discord.thread_closed"),
        (gone, "discord.thread_gone"),
    ],
)
@pytest.mark.parametrize("edits", [False, True], ids=["posts", "edits"])
async def test_what_becomes_of_the_thread_is_told_as_it_is(
    channel: Channel, happens: Happening, code: str | None, edits: bool
) -> None:
    """An archived thread opens again for a message, though none in it can be edited."""
    thread = channel.world.threads.open("Dailies")
    async with client(channel, Routes(thread_id=thread.id)) as discord:
        message_id = await discord.post(notice_card("one", "x"))
        happens(channel.world, thread.id)
        again = notice_card("two", "x")
        say = discord.edit(message_id, again) if edits else discord.post(again)
        if code is None:
            await say
            assert not thread.archived
            assert ("Dailies", "two") in shown(channel)
            return
        with pytest.raises(Fatal) as refusal:
            await say
    assert refusal.value.code == code
    assert "postflow retry --messages" in refusal.value.hint


@pytest.mark.parametrize(("happens", "posts"), [(archived, 1), (gone, 1)])
async def test_a_forums_post_that_is_archived_or_deleted_holds_up_no_news(
    forum: Channel, delivery: Delivery, happens: Happening, posts: int
) -> None:
    ready = ready_card(delivery, project="UNDLM")
    async with client(forum, NEW) as discord:
        first = await discord.post(ready)
        happens(forum.world, first.partition("/")[0])
        second = await discord.edit(first, ready)
        assert await discord.edit(second, ready) == second
    assert second != first
    assert len(forum.world.threads.known) == posts
    assert shown(forum)[-1][0] == "SQ07 UNDLM_00152 v003"


ARMED = [
    (400, 220001, "discord.forum", "thread_name"),
    (400, 220002, "discord.two_threads", "Leave out one"),
    (400, 220003, "discord.no_forum", "Leave `thread_name` out"),
    (400, 40067, "discord.tag_required", "thread_id"),
    (404, 10087, "discord.tag_unknown", "tags"),
    (400, 50083, "discord.thread_closed", "Unlock"),
    (403, 160005, "discord.thread_closed", "Unlock"),
    (400, 160006, "discord.too_many_threads", "Close some"),
    (404, 10003, "discord.thread_gone", "thread_id"),
    (404, 10015, "discord.webhook_gone", "new webhook"),
    (401, 50027, "discord.webhook_gone", "new webhook"),
    (404, 0, "discord.webhook_gone", "new webhook"),
    (403, 50013, "discord.forbidden", "permissions"),
    (403, 0, "discord.forbidden", "permissions"),
    (400, 200000, "discord.moderated", "AutoMod"),
    (400, 240000, "discord.moderated", "AutoMod"),
    (400, 50035, "discord.refused", "report"),
    (400, 99999, "discord.refused", "report"),
]


@pytest.mark.parametrize(("status", "number", "code", "remedy"), ARMED)
async def test_each_refusal_has_its_own_remedy(
    channel: Channel, status: int, number: int, code: str, remedy: str
) -> None:
    body = {"message": "no", "code": number}
    channel.faults.arm("status", "discord.post", code=status, body=body)
    async with client(channel) as discord:
        with pytest.raises(Fatal) as refusal:
            await discord.post(notice_card("x", "x"))
    assert refusal.value.code == code
    assert remedy in refusal.value.hint
    assert ("postflow retry --messages" in refusal.value.hint) == (code != "discord.refused")


@pytest.mark.parametrize("number", [20016, 20028, 30046, 130000])
async def test_what_passes_is_no_verdict(channel: Channel, number: int) -> None:
    channel.faults.arm(
        "status", "discord.post", code=400, body={"message": "later", "code": number}
    )
    async with client(channel) as discord:
        with pytest.raises(Retry):
            await discord.post(notice_card("x", "x"))


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_an_answer_that_is_not_discords_is_no_verdict_on_the_webhook(
    channel: Channel, status: int
) -> None:
    channel.faults.arm("status", "discord.*", code=status, body="<html>blocked</html>", times=None)
    async with client(channel) as discord:
        with pytest.raises(Retry) as refusal:
            await discord.check()
    assert refusal.value.code == "discord.blocked"


@pytest.mark.parametrize(
    ("kind", "routes", "code"),
    [
        ("text", None, None),
        ("text", NEW, "discord.no_forum"),
        ("text", Routes(thread_id="1"), "discord.thread_gone"),
        ("forum", None, "discord.forum"),
        ("forum", NEW, None),
        ("forum_with_tags", NEW, "discord.tag_required"),
        ("forum_with_tags", NEW.model_copy(update={"tags": ("1",)}), "discord.tag_unknown"),
        ("text", Routes(threads={"SQ07": "1"}), "discord.thread_gone"),
    ],
)
async def test_check_sees_it_beforehand_and_posts_nothing(
    kind: Any, routes: Routes | None, code: str | None
) -> None:
    async for channel in serving(channel=kind):
        async with client(channel, routes) as discord:
            if code is None:
                assert await discord.check() == "PostFlow sandbox"
            else:
                with pytest.raises(Fatal) as refusal:
                    await discord.check()
                assert refusal.value.code == code
        assert channel.world.messages == []
        assert channel.world.threads.known == {}


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("{sequence} {shot}", "SQ07 UNDLM_00152"),
        ("{project}: {file}", "UNDLM: SQ07_UNDLM_00152_v003.mov"),
        ("Dailies", "Dailies"),
        ("x" * 100, "x" * 100),
        ("{file}" * 10, ("SQ07_UNDLM_00152_v003.mov" * 10)[:100]),
    ],
)
def test_names_of_posts(name: str, named: str, delivery: Delivery) -> None:
    card = ready_card(delivery, project="UNDLM")
    assert Routes(thread_name=name).new_thread(card.about) == named


def test_a_name_holds_nothing_that_cannot_be_seen(delivery: Delivery) -> None:
    odd = delivery.media.model_copy(update={"path": delivery.media.path / "a\nb\x1b[31m\u202e.mov"})
    card: Card = failed_card(odd, None, Skip("no", hint="", code="name.unknown"))
    assert Routes(thread_name="{file}").new_thread(card.about) == "a b [31m .mov"
    assert Routes(thread_name="{shot} {file}").new_thread(card.about) == "PostFlow"


@pytest.mark.parametrize(
    "fields",
    [
        {"thread_id": "12", "thread_name": "x"},
        {"thread_id": "abc"},
        {"thread_id": "../1"},
        {"thread_name": "{scene}"},
        {"thread_name": "x" * 101},
    ],
)
def test_a_wrong_thread_is_refused_when_it_is_set_up(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        DiscordWebhook(url=SecretStr("https://discord.com/api/webhooks/1/x"), **fields)
