"""What was not told is found again, studio by studio, until it is told or a person decides."""

from __future__ import annotations

import pytest

from postflow.errors import Fatal, Retry
from postflow.ledger import (
    Announcement,
    Ledger,
    Message,
    MessageState,
    Root,
    Unannounced,
    leases,
    outbox,
    transitions,
    unannounced,
)
from tests.ledger.ground import Clock, add, claim_one

DELETED = Fatal("The webhook was deleted.", hint="Make a new one.", code="discord.webhook_gone")
AWAY = Retry("Discord is away.", hint="It is tried again.", code="discord.unavailable")


@pytest.fixture(autouse=True)
def run(ledger: Ledger) -> None:
    leases.start(ledger, "run-1")


def begun(ledger: Ledger, key: str = "main/a", channel: str = "main") -> Message:
    outbox.enqueue(
        ledger, Announcement(key=key, channel=channel, payload={"title": "2 clips\\_are ready"})
    )
    (message,) = (each for each in outbox.due(ledger) if each.key == key)
    return outbox.sending(ledger, message, "run-1")


def found(ledger: Ledger, studio: str = "main") -> list[tuple[str, MessageState, str | None]]:
    return [(each.key, each.state, each.code) for each in unannounced.current(ledger, studio)]


def test_what_was_told_or_will_be_is_no_trouble(ledger: Ledger) -> None:
    outbox.sent(ledger, begun(ledger, "main/sent"), "m1")
    outbox.not_sent(ledger, begun(ledger, "main/put off"), AWAY)
    outbox.enqueue(ledger, Announcement(key="main/new", channel="main", payload={}))
    assert found(ledger) == []


def test_refused_and_unanswered_ones_are_named_until_a_person_decides(ledger: Ledger) -> None:
    outbox.refused(ledger, begun(ledger, "main/a"), DELETED)
    assert found(ledger) == [("main/a", MessageState.FAILED, "discord.webhook_gone")]
    assert unannounced.resend(ledger, "main") == 1
    assert found(ledger) == []
    outbox.unknown(ledger, begun(ledger, "main/b"))
    assert found(ledger) == [("main/b", MessageState.UNKNOWN, "ledger.message_unknown")]
    assert unannounced.mark_sent(ledger, "main") == 1
    assert found(ledger) == []
    assert unannounced.mark_sent(ledger, "main") == 0, "what is to be sent is not told yet"


def test_new_content_of_one_taken_for_told_goes_out(ledger: Ledger) -> None:
    outbox.unknown(ledger, begun(ledger))
    unannounced.mark_sent(ledger, "main")
    outbox.enqueue(ledger, Announcement(key="main/a", channel="main", payload={"title": "ready"}))
    assert [message.message_id for message in outbox.due(ledger)] == [None]


@pytest.mark.parametrize(("minutes", "tries", "late"), [(11, 0, True), (0, 3, True), (9, 2, False)])
def test_one_that_waits_for_long_waits_for_somebody(
    ledger: Ledger, clock: Clock, minutes: int, tries: int, late: bool
) -> None:
    outbox.enqueue(ledger, Announcement(key="main/a", channel="main", payload={}))
    for _ in range(tries):
        (message,) = outbox.messages(ledger, MessageState.PENDING)
        outbox.not_sent(ledger, outbox.sending(ledger, message, "run-1"), AWAY)
    clock.forward(minutes * 60)
    assert bool(found(ledger)) is late
    assert unannounced.resend(ledger, "main") == (tries > 0), "at once, whatever it waited for"
    assert len(outbox.due(ledger)) == 1


def test_each_studio_has_its_own_and_those_of_its_other_webhooks(ledger: Ledger) -> None:
    for channel in ("main", "main/0a1b", "main-2", "mainx/0a1b", "second"):
        outbox.refused(ledger, begun(ledger, f"{channel}/x", channel), DELETED)
    assert [key for key, *_ in found(ledger)] == ["main/x", "main/0a1b/x"]
    assert unannounced.resend(ledger, "second") == 1
    assert len(found(ledger)) == 2


def test_it_is_told_of_a_clip_by_its_path_else_by_what_it_says(ledger: Ledger, root: Root) -> None:
    add(ledger, root, "SQ07/a.mov")
    claim = claim_one(ledger)
    transitions.announce(
        ledger,
        claim,
        Announcement(key="main/clip", channel="main", payload={"title": "on its way"}),
    )
    (message,) = outbox.due(ledger)
    outbox.refused(ledger, outbox.sending(ledger, message, "run-1"), DELETED)
    outbox.refused(ledger, begun(ledger), DELETED)

    def about(message: Unannounced) -> str:
        return message.about

    assert list(map(about, unannounced.current(ledger, "main"))) == [
        "SQ07/a.mov",
        "2 clips_are ready",
    ]
