"""Which clips belong on one stack, and one run at a time at each."""

from __future__ import annotations

import pytest

from postflow.errors import Retry
from postflow.ledger import Claimed, Ledger, Root, State, claims, known_ids, leases, transitions
from tests.ledger.consistency import check_consistent
from tests.ledger.ground import BROKEN, Clock, add, claim_one, target


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
        clock.forward(50)
        leases.renew(ledger, two.run_id)
        clock.forward(20)
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
