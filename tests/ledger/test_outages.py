"""Clips that wait for something that is no fault of theirs."""

from __future__ import annotations

from postflow.errors import Fatal, PostFlowError, Retry
from postflow.frameio.auth.errors import NOT_SIGNED_IN
from postflow.language import spoken
from postflow.ledger import (
    Announcement,
    Ledger,
    Root,
    State,
    claims,
    outages,
    outbox,
    queries,
    transitions,
)
from postflow.ledger.outages import BLINK, PAUSE
from tests.ledger.ground import Clock, add_many, bring_to_arrived, claim_one

SIGNED_OUT = Fatal("Nobody has signed in.", hint="Sign in.", code="adobe.not_signed_in")
AWAY = Retry("Frame.io cannot be reached.", hint="See the network.", code="frameio.unreachable")


def notice(number: int) -> Announcement:
    return Announcement(key=f"waits-{number}", channel="main", payload={"title": "Clips wait"})


def meets(ledger: Ledger, why: PostFlowError, number: int = 1) -> None:
    transitions.postpone(ledger, claim_one(ledger), why, announce=notice(number))


def told(ledger: Ledger) -> list[str]:
    return [message.key for message in outbox.messages(ledger)]


def test_it_uses_up_no_try_however_often(ledger: Ledger, root: Root, clock: Clock) -> None:
    add_many(ledger, root, 1)
    for number in range(20):
        meets(ledger, SIGNED_OUT, number)
        clock.forward(PAUSE.total_seconds())
    (row,) = queries.rows(ledger)
    assert (row.state, row.tries, row.code) == (State.READY, 0, SIGNED_OUT.code)
    assert told(ledger) == ["waits-0"]


def test_the_others_need_not_find_out_for_themselves(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    add_many(ledger, root, 10)
    meets(ledger, SIGNED_OUT)
    clock.forward(1)
    meets(ledger, SIGNED_OUT)
    assert claims.ready(ledger) == 0
    assert {row.reason for row in queries.rows(ledger)} == {SIGNED_OUT.message}
    clock.forward(PAUSE.total_seconds())
    assert claims.ready(ledger) == 10


def test_what_keeps_one_clip_only_holds_up_no_other_and_is_told_once(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    """As a folder of Frame.io that is closed to us: the others arrive meanwhile."""
    add_many(ledger, root, 4)
    for number in range(3):
        meets(ledger, SIGNED_OUT, number)
        bring_to_arrived(ledger, claim_one(ledger), f"file-{number}")
        assert outages.current(ledger, "main") == {}
        clock.forward(PAUSE.total_seconds())
    assert told(ledger) == ["waits-0"]


def test_the_first_that_arrives_ends_it_for_those_that_have_not_been_tried(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    first, *_ = add_many(ledger, root, 4)
    for _ in range(2):
        meets(ledger, SIGNED_OUT)
        clock.forward(1)
    assert outages.current(ledger, "main") == {SIGNED_OUT.code: str(SIGNED_OUT)}
    by_hand = claims.claim_clip(ledger, "run-2", first)
    assert by_hand is not None
    bring_to_arrived(ledger, by_hand)
    assert outages.current(ledger, "main") == {}
    assert claims.ready(ledger) == 2
    meets(ledger, SIGNED_OUT, 2)
    meets(ledger, SIGNED_OUT, 3)
    assert told(ledger) == ["waits-1", "waits-2"], "another time is told anew"


def test_what_holds_clips_up_is_told_in_the_studios_language(ledger: Ledger, root: Root) -> None:
    add_many(ledger, root, 1)
    with spoken("fr"):
        meets(ledger, NOT_SIGNED_IN())
        french = " ".join(NOT_SIGNED_IN().told)
    assert outages.current(ledger, "main") == {NOT_SIGNED_IN.code: french}
    assert french != str(NOT_SIGNED_IN())


def test_what_a_person_has_mended_goes_at_once(ledger: Ledger, root: Root, clock: Clock) -> None:
    add_many(ledger, root, 3)
    for _ in range(2):
        meets(ledger, SIGNED_OUT)
        clock.forward(1)
    assert claims.ready(ledger) == 0
    assert outages.clear(ledger, "another") == 0
    assert outages.clear(ledger, "main") == 3
    assert claims.ready(ledger) == 3


def test_what_may_pass_by_itself_is_told_when_it_lasts(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    add_many(ledger, root, 1)
    rounds = int(BLINK / PAUSE)
    for number in range(rounds + 3):
        assert told(ledger) == ([] if number <= rounds else [f"waits-{rounds}"])
        meets(ledger, AWAY, number)
        clock.forward(PAUSE.total_seconds())
