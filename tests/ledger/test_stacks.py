"""Which clips belong on one stack, and one run at a time at each."""

from __future__ import annotations

import pytest

from postflow.errors import Retry
from postflow.ledger import Claimed, Ledger, Root, State
from tests.ledger.consistency import check_consistent
from tests.ledger.ground import BROKEN, Clock, add, claim_one, target


def arrive(
    ledger: Ledger, root: Root, name: str, version: int | None, *, stack: str = "shot"
) -> Claimed:
    add(ledger, root, name)
    claim = ledger.intend_request(
        claim_one(ledger, f"run of {name}"), target(stack, version), way="tunnel"
    )
    return ledger.arrived(ledger.requested(claim, f"file of {name}"))


def test_mates_are_listed_oldest_version_first_however_they_arrived(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    for version in (3, None, 1, 2):
        ledger.done(arrive(ledger, root, f"shot_{version}.mov", version))
        clock.forward(1)
    arrive(ledger, root, "shot_2b.mov", 2)
    arrive(ledger, root, "other.mov", 1, stack="other shot")
    mates = ledger.stack_mates("folder", "shot")
    assert [mate.name for mate in mates] == [
        *("shot_None.mov", "shot_1.mov", "shot_2.mov", "shot_2b.mov", "shot_3.mov")
    ]
    assert mates[1].file_id == "file of shot_1.mov"
    assert ledger.stack_mates("other folder", "shot") == []


def test_mates_still_on_their_way_show_and_those_given_up_do_not(
    ledger: Ledger, root: Root
) -> None:
    add(ledger, root, "v1.mov")
    one = ledger.intend_request(claim_one(ledger), target("shot", 1), way="tunnel")
    add(ledger, root, "v2.mov")
    two = ledger.intend_request(claim_one(ledger), target("shot", 2), way="tunnel")
    ledger.fail(two, BROKEN)
    (mate,) = ledger.stack_mates("folder", "shot")
    assert (mate.clip_id, mate.state) == (one.clip_id, State.REQUESTING)


def test_the_stack_is_remembered(ledger: Ledger, root: Root) -> None:
    assert ledger.stack_of("folder", "shot") is None
    claim = arrive(ledger, root, "v1.mov", 1)
    claim = ledger.stacked(ledger.intend_stack(claim, ["a", "b"]), "stack-1")
    ledger.done(claim)
    assert ledger.stack_of("folder", "shot") == "stack-1"
    assert ledger.stack_mates("folder", "shot")[0].stack_id == "stack-1"
    newer = arrive(ledger, root, "v2.mov", 2)
    ledger.stacked(ledger.intend_stack(newer), "stack-2")
    assert ledger.stack_of("folder", "shot") == "stack-2"
    check_consistent(ledger)


def test_two_versions_are_stacked_one_after_the_other(ledger: Ledger, root: Root) -> None:
    """Both at once would make two stacks."""
    one = arrive(ledger, root, "v1.mov", 1)
    two = arrive(ledger, root, "v2.mov", 2)
    elsewhere = arrive(ledger, root, "x.mov", 1, stack="other shot")
    one = ledger.intend_stack(one)
    with pytest.raises(Retry) as busy:
        ledger.intend_stack(two)
    assert busy.value.code == "ledger.stack_busy"
    ledger.intend_stack(elsewhere)
    ledger.stacked(one, "stack-1")
    ledger.stacked(ledger.intend_stack(two), "stack-1")
    check_consistent(ledger)


@pytest.mark.parametrize("how", ["dies", "is put off", "gives up"])
def test_a_stack_is_free_when_its_run_is_no_longer_at_it(
    ledger: Ledger, root: Root, clock: Clock, how: str
) -> None:
    one = ledger.intend_stack(arrive(ledger, root, "v1.mov", 1))
    two = arrive(ledger, root, "v2.mov", 2)
    if how == "dies":
        clock.forward(50)
        ledger.renew(two.run_id)
        clock.forward(20)
        ledger.recover()
    elif how == "is put off":
        ledger.postpone(one, Retry("Slow down.", hint="Wait.", code="x"))
    else:
        ledger.done(one, note=BROKEN)
    assert ledger.intend_stack(two).state is State.STACKING


def test_an_intent_can_be_repeated_after_looking(ledger: Ledger, root: Root) -> None:
    claim = ledger.intend_stack(arrive(ledger, root, "v1.mov", 1))
    ledger.release(claim)
    again = ledger.intend_stack(claim_one(ledger, "run-2"))
    ledger.stacked(again, "stack-1")
    check_consistent(ledger)
