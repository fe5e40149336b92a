"""Announcements: nothing twice, nothing lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from postflow.errors import Fatal, Retry
from postflow.ledger import (
    Announcement,
    Ledger,
    Message,
    MessageState,
    Root,
    StaleClaim,
    leases,
    outbox,
    transitions,
    unannounced,
)
from tests.ledger.ground import MISNAMED, Clock, add, bring_to_arrived, claim_one, outlive

AWAY = Retry("Discord is away.", hint="It is tried again.", code="discord.away")
DELETED = Fatal("The webhook was deleted.", hint="Make a new one.", code="discord.no_webhook")


def announcement(text: str = "ready", key: str = "clip:1") -> Announcement:
    return Announcement(key=key, channel="dailies", payload={"content": text})


def begin(ledger: Ledger, run_id: str = "run-1") -> Message:
    (message,) = outbox.due(ledger)
    return outbox.sending(ledger, message, run_id)


def states(ledger: Ledger) -> dict[str, MessageState]:
    return {message.key: message.state for message in outbox.messages(ledger)}


@pytest.fixture(autouse=True)
def run(ledger: Ledger) -> str:
    leases.start(ledger, "run-1")
    return "run-1"


def test_a_message_is_sent_once(ledger: Ledger) -> None:
    outbox.enqueue(ledger, announcement())
    outbox.sent(ledger, begin(ledger), "m1")
    assert outbox.due(ledger) == []
    outbox.enqueue(ledger, announcement())
    assert outbox.due(ledger) == []
    assert states(ledger) == {"clip:1": MessageState.SENT}


def test_a_channel_that_is_away_does_not_stand_in_anothers_way(ledger: Ledger) -> None:
    for number in range(60):
        outbox.enqueue(ledger, announcement(key=f"clip:{number}"))
    outbox.enqueue(ledger, Announcement(key="other", channel="supervisors", payload={}))
    assert [message.key for message in outbox.due(ledger, channel="supervisors")] == ["other"]
    assert len(outbox.due(ledger, channel="dailies", limit=100)) == 60


def test_new_content_edits_the_same_message(ledger: Ledger) -> None:
    outbox.enqueue(ledger, announcement("on its way"))
    outbox.sent(ledger, begin(ledger), "m1")
    outbox.enqueue(ledger, announcement("ready"))
    edit = begin(ledger)
    assert (edit.message_id, edit.payload) == ("m1", {"content": "ready"})
    outbox.sent(ledger, edit, "m1")
    assert outbox.due(ledger) == []


def test_only_the_newest_content_is_sent(ledger: Ledger) -> None:
    for text in ("on its way", "half", "ready"):
        outbox.enqueue(ledger, announcement(text))
    assert begin(ledger).payload == {"content": "ready"}


def test_content_that_changes_while_it_is_sent_is_sent_next(ledger: Ledger) -> None:
    outbox.enqueue(ledger, announcement("on its way"))
    message = begin(ledger)
    outbox.enqueue(ledger, announcement("ready"))
    assert outbox.due(ledger) == []
    outbox.sent(ledger, message, "m1")
    edit = begin(ledger)
    assert (edit.message_id, edit.payload) == ("m1", {"content": "ready"})


def test_what_could_not_be_sent_is_due_later(ledger: Ledger, clock: Clock) -> None:
    outbox.enqueue(ledger, announcement())
    for wait in (30, 60, 120):
        until = outbox.not_sent(ledger, begin(ledger), AWAY)
        assert until - clock() == timedelta(seconds=wait)
        assert outbox.due(ledger) == []
        assert outbox.messages(ledger)[0].code == "discord.away"
        clock.time = until
    outbox.sent(ledger, begin(ledger), "m1")
    assert outbox.messages(ledger)[0].code is None


def test_a_post_without_an_answer_is_not_posted_again(ledger: Ledger, clock: Clock) -> None:
    outbox.enqueue(ledger, announcement())
    assert outbox.unknown(ledger, begin(ledger)) is MessageState.UNKNOWN
    clock.forward(10**6)
    outbox.enqueue(ledger, announcement())
    assert outbox.due(ledger) == []
    (message,) = outbox.messages(ledger, MessageState.UNKNOWN)
    assert message.code == "ledger.message_unknown"


def test_after_a_post_without_an_answer_new_content_is_posted(ledger: Ledger) -> None:
    """Nobody must miss the link because the first message got no answer."""
    outbox.enqueue(ledger, announcement("on its way"))
    outbox.unknown(ledger, begin(ledger))
    outbox.enqueue(ledger, announcement("ready"))
    post = begin(ledger)
    assert (post.message_id, post.payload) == (None, {"content": "ready"})


def test_new_content_during_a_post_without_an_answer_is_posted(ledger: Ledger) -> None:
    outbox.enqueue(ledger, announcement("on its way"))
    message = begin(ledger)
    outbox.enqueue(ledger, announcement("ready"))
    assert outbox.unknown(ledger, message) is MessageState.PENDING


def test_an_edit_without_an_answer_is_repeated(ledger: Ledger) -> None:
    outbox.enqueue(ledger, announcement("on its way"))
    outbox.sent(ledger, begin(ledger), "m1")
    outbox.enqueue(ledger, announcement("ready"))
    assert outbox.unknown(ledger, begin(ledger)) is MessageState.PENDING
    assert begin(ledger).message_id == "m1"


def test_a_person_can_have_unknown_and_refused_messages_sent_again(ledger: Ledger) -> None:
    outbox.enqueue(ledger, announcement(key="clip:1"))
    outbox.unknown(ledger, begin(ledger))
    outbox.enqueue(ledger, announcement(key="clip:2"))
    outbox.refused(ledger, begin(ledger), DELETED)
    assert states(ledger) == {"clip:1": MessageState.UNKNOWN, "clip:2": MessageState.FAILED}
    assert unannounced.resend(ledger, "dailies") == 2
    assert unannounced.resend(ledger, "dailies") == 0
    assert len(outbox.due(ledger)) == 2


def test_two_runs_do_not_send_the_same_message(ledger: Ledger) -> None:
    leases.start(ledger, "run-2")
    outbox.enqueue(ledger, announcement())
    (message,) = outbox.due(ledger)
    outbox.sending(ledger, message, "run-1")
    with pytest.raises(StaleClaim):
        outbox.sending(ledger, message, "run-2")


def test_a_run_without_a_lease_sends_nothing(ledger: Ledger) -> None:
    outbox.enqueue(ledger, announcement())
    with pytest.raises(StaleClaim):
        begin(ledger, "nobody")


@pytest.mark.parametrize("edit", [False, True])
def test_what_a_dead_run_was_sending_is_settled(ledger: Ledger, clock: Clock, edit: bool) -> None:
    outbox.enqueue(ledger, announcement("on its way"))
    if edit:
        outbox.sent(ledger, begin(ledger), "m1")
        outbox.enqueue(ledger, announcement("ready"))
    message = begin(ledger)
    outlive(ledger, clock)
    assert leases.recover(ledger).unknown_messages == int(not edit)
    assert states(ledger) == {"clip:1": MessageState.PENDING if edit else MessageState.UNKNOWN}
    with pytest.raises(StaleClaim):
        outbox.sent(ledger, message, "m2")


def test_what_a_run_was_sending_when_it_left_is_unknown(ledger: Ledger) -> None:
    outbox.enqueue(ledger, announcement())
    begin(ledger)
    leases.end(ledger, "run-1")
    assert states(ledger) == {"clip:1": MessageState.UNKNOWN}


@pytest.mark.parametrize("end", ["done", "skip", "fail", "postpone"])
def test_the_announcement_is_written_with_the_fact(ledger: Ledger, root: Root, end: str) -> None:
    clip_id = add(ledger, root, "a.mov")
    claim = claim_one(ledger)
    if end == "done":
        transitions.done(ledger, bring_to_arrived(ledger, claim), announce=announcement())
    else:
        getattr(transitions, end)(
            ledger, claim, AWAY if end == "postpone" else MISNAMED, announce=announcement()
        )
    (message,) = outbox.due(ledger)
    assert (message.key, message.clip_id) == ("clip:1", clip_id)


def test_what_a_clip_says_on_its_way_is_its_own_and_only_its_holder_says_it(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    clip_id = add(ledger, root, "a.mov")
    claim = claim_one(ledger)
    transitions.announce(ledger, claim, announcement("on its way"))
    (message,) = outbox.due(ledger)
    assert (message.clip_id, message.payload) == (clip_id, {"content": "on its way"})
    outlive(ledger, clock)
    claim_one(ledger, "run-2")
    with pytest.raises(StaleClaim):
        transitions.announce(ledger, claim, announcement("ready"))


def test_that_a_clip_waits_is_said_in_its_message_and_makes_none(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    add(ledger, root, "a.mov")
    transitions.postpone(ledger, claim_one(ledger), AWAY, waiting=announcement("is waiting"))
    assert outbox.messages(ledger) == []
    clock.forward(60)
    claim = claim_one(ledger)
    transitions.announce(ledger, claim, announcement("on its way"))
    outbox.unknown(ledger, begin(ledger), AWAY)
    transitions.postpone(ledger, claim, AWAY, waiting=announcement("is waiting"))
    assert outbox.due(ledger) == [], "whether it has a message, nobody knows"
    unannounced.resend(ledger, "dailies")
    outbox.sent(ledger, begin(ledger), "m1")
    clock.forward(60)
    transitions.postpone(ledger, claim_one(ledger), AWAY, waiting=announcement("is waiting"))
    edit = begin(ledger)
    assert (edit.message_id, edit.payload) == ("m1", {"content": "is waiting"})


def test_a_fact_that_is_refused_announces_nothing(ledger: Ledger, root: Root) -> None:
    add(ledger, root, "a.mov")
    claim = claim_one(ledger)
    with pytest.raises(Fatal):
        transitions.done(ledger, claim, announce=announcement())
    assert outbox.messages(ledger) == []


@pytest.mark.parametrize(
    "payload", [{}, {"embeds": [{"title": "é\0\ud800", "n": 1.5}], "deep": {"a": [None, True]}}]
)
def test_any_content_comes_back_as_it_was(ledger: Ledger, payload: dict[str, Any]) -> None:
    outbox.enqueue(ledger, Announcement(key="k", channel="c", payload=payload))
    assert begin(ledger).payload == payload
