"""Which clips belong on one stack, and one run at a time at each."""

from __future__ import annotations

import pytest

from postflow.errors import Retry
from postflow.ledger import (
    Announcement,
    Claimed,
    Ledger,
    Root,
    State,
    claims,
    known_ids,
    leases,
    outbox,
    queries,
    stack_queue,
    transitions,
)
from tests.ledger.consistency import check_consistent
from tests.ledger.ground import BROKEN, Clock, add, claim_one, take_stack, target


def arrive(
    ledger: Ledger, root: Root, name: str, version: int | None, *, stack: str = "shot"
) -> Claimed:
    add(ledger, root, name)
    claim = transitions.intend_request(
        ledger, claim_one(ledger, f"run of {name}"), target(stack, version), way="tunnel"
    )
    return transitions.arrived(ledger, transitions.requested(ledger, claim, f"file of {name}"))


def test_mates_are_listed_oldest_version_first_however_they_arrived(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    for version in (3, None, 1, 2):
        transitions.done(ledger, arrive(ledger, root, f"shot_{version}.mov", version))
        clock.forward(1)
    arrive(ledger, root, "shot_2b.mov", 2)
    arrive(ledger, root, "other.mov", 1, stack="other shot")
    mates = known_ids.siblings(ledger, "folder", "shot")
    assert [mate.name for mate in mates] == [
        *("shot_None.mov", "shot_1.mov", "shot_2.mov", "shot_2b.mov", "shot_3.mov")
    ]
    assert mates[1].file_id == "file of shot_1.mov"
    assert known_ids.siblings(ledger, "other folder", "shot") == []


def test_mates_still_on_their_way_show_and_those_given_up_do_not(
    ledger: Ledger, root: Root
) -> None:
    add(ledger, root, "v1.mov")
    one = transitions.intend_request(ledger, claim_one(ledger), target("shot", 1), way="tunnel")
    add(ledger, root, "v2.mov")
    two = transitions.intend_request(ledger, claim_one(ledger), target("shot", 2), way="tunnel")
    transitions.fail(ledger, two, BROKEN)
    (mate,) = known_ids.siblings(ledger, "folder", "shot")
    assert (mate.clip_id, mate.state) == (one.clip_id, State.REQUESTING)


def test_the_stack_is_remembered(ledger: Ledger, root: Root) -> None:
    assert known_ids.stack_of(ledger, "folder", "shot") is None
    claim = arrive(ledger, root, "v1.mov", 1)
    claim = known_ids.stacked(ledger, known_ids.intend_stack(ledger, claim), "stack-1")
    transitions.done(ledger, claim)
    assert known_ids.stack_of(ledger, "folder", "shot") == "stack-1"
    assert known_ids.siblings(ledger, "folder", "shot")[0].stack_id == "stack-1"
    newer = arrive(ledger, root, "v2.mov", 2)
    known_ids.stacked(ledger, known_ids.intend_stack(ledger, newer), "stack-2")
    assert known_ids.stack_of(ledger, "folder", "shot") == "stack-2"
    check_consistent(ledger)


def test_two_versions_are_stacked_one_after_the_other(ledger: Ledger, root: Root) -> None:
    """Both at once would make two stacks."""
    one = arrive(ledger, root, "v1.mov", 1)
    two = arrive(ledger, root, "v2.mov", 2)
    elsewhere = arrive(ledger, root, "x.mov", 1, stack="other shot")
    one = known_ids.intend_stack(ledger, one)
    with pytest.raises(Retry) as busy:
        known_ids.intend_stack(ledger, two)
    assert busy.value.code == "ledger.stack_busy"
    known_ids.intend_stack(ledger, elsewhere)
    known_ids.stacked(ledger, one, "stack-1")
    known_ids.stacked(ledger, known_ids.intend_stack(ledger, two), "stack-1")
    check_consistent(ledger)


@pytest.mark.parametrize("how", ["dies", "is put off", "gives up"])
def test_a_stack_is_free_when_its_run_is_no_longer_at_it(
    ledger: Ledger, root: Root, clock: Clock, how: str
) -> None:
    one = known_ids.intend_stack(ledger, arrive(ledger, root, "v1.mov", 1))
    two = arrive(ledger, root, "v2.mov", 2)
    if how == "dies":
        for _ in range(3):
            clock.forward(25)
            leases.renew(ledger, two.run_id)
        leases.recover(ledger)
    elif how == "is put off":
        transitions.postpone(ledger, one, Retry("Slow down.", hint="Wait.", code="x"))
    else:
        transitions.done(ledger, one, note=BROKEN)
    assert known_ids.intend_stack(ledger, two).state is State.STACKING


def test_an_intent_can_be_repeated_after_looking(ledger: Ledger, root: Root) -> None:
    claim = known_ids.intend_stack(ledger, arrive(ledger, root, "v1.mov", 1))
    claims.release(ledger, claim)
    again = known_ids.intend_stack(ledger, claim_one(ledger, "run-2"))
    known_ids.stacked(ledger, again, "stack-1")
    check_consistent(ledger)


def waiting(ledger: Ledger, root: Root, name: str, version: int, stack: str = "shot") -> Claimed:
    claim = arrive(ledger, root, name, version, stack=stack)
    message = Announcement(key=f"clip of {name}", channel="dailies", payload={"says": "follows"})
    transitions.leave_stack(ledger, claim, announce=message)
    return claim


def test_all_that_wait_for_one_stack_are_ended_with_the_first_of_them(
    ledger: Ledger, root: Root
) -> None:
    """What is not on it, or in the hands of another run, is not."""
    for version in (1, 2, 3):
        waiting(ledger, root, f"v{version}.mov", version)
    waiting(ledger, root, "x.mov", 1, stack="other shot")
    claim = known_ids.intend_stack(ledger, take_stack(ledger))
    assert claim.name == "v1.mov"
    other = take_stack(ledger, "run-2")
    assert other.name == "x.mov", "the others' stack is in the hands of a run"
    known_ids.stacked(
        ledger,
        claim,
        "stack-1",
        file_ids=["file of v1.mov", "file of v3.mov", "file of x.mov"],
        reword=lambda payload: payload | {"says": "stacked"},
    )
    states = {clip.name: (clip.state, clip.not_before) for clip in queries.rows(ledger)}
    assert states == {
        "v1.mov": (State.STACKED, None),
        "v2.mov": (State.ARRIVED, None),
        "v3.mov": (State.DONE, None),
        "x.mov": (State.ARRIVED, None),
    }
    said = {message.key: message.payload["says"] for message in outbox.messages(ledger)}
    assert [key for key, text in said.items() if text == "stacked"] == ["clip of v3.mov"]
    check_consistent(ledger)


@pytest.mark.parametrize(("creating", "extending"), [(True, False), (False, True)])
def test_stacks_that_are_there_and_those_to_be_made_may_be_taken_apart(
    ledger: Ledger, root: Root, creating: bool, extending: bool
) -> None:
    known_ids.stacked(
        ledger, known_ids.intend_stack(ledger, arrive(ledger, root, "a1.mov", 1)), "s"
    )
    waiting(ledger, root, "b2.mov", 2, stack="other shot")
    waiting(ledger, root, "a2.mov", 2)
    claim = stack_queue.take_next(ledger, "run", creating=creating, extending=extending)
    assert claim is not None
    assert claim.name == ("b2.mov" if creating else "a2.mov")
    assert stack_queue.take_next(ledger, "run", creating=creating, extending=extending) is None
    assert stack_queue.due(ledger) == 1
