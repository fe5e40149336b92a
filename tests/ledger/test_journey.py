"""Intent, effect, outcome: what a run writes on the way."""

from __future__ import annotations

from datetime import timedelta

import pytest

from postflow.errors import Fatal, Retry
from postflow.ledger import (
    AttemptOutcome,
    IllegalMove,
    Ledger,
    Phase,
    Root,
    State,
    claims,
    known_ids,
    queries,
    registry,
    retrying,
    stack_queue,
    transitions,
)
from tests.ledger.consistency import check_consistent
from tests.ledger.ground import (
    BROKEN,
    BUSY,
    MISNAMED,
    Clock,
    add,
    bring_to_arrived,
    bring_to_requested,
    claim_one,
    media,
    outlive,
    take_stack,
    target,
)


@pytest.fixture(autouse=True)
def stays_consistent(ledger: Ledger, root: Root) -> object:
    add(ledger, root, "a.mov")
    yield
    check_consistent(ledger)


def outcomes(ledger: Ledger) -> list[AttemptOutcome]:
    (claim,) = claims.claim(ledger, "reader", limit=1)
    return [attempt.outcome for attempt in claim.attempts]


def test_the_whole_journey_is_in_the_history(ledger: Ledger, clock: Clock) -> None:
    began = clock()
    claim = claim_one(ledger)
    clock.forward(1)
    claim = transitions.intend_request(ledger, claim, target(), way="tunnel", exposure="e1")
    claim = transitions.requested(ledger, claim, "file-1", view_url="https://next.frame.io/1")
    claim = transitions.arrived(ledger, claim)
    claim = known_ids.intend_stack(ledger, claim)
    claim = known_ids.stacked(ledger, claim, "stack-1")
    transitions.done(ledger, claim)
    steps = queries.steps(ledger, claim.clip_id)
    assert [step.event for step in steps] == [
        *("found", "claimed", "requesting", "requested", "arrived", "stacking", "stacked", "done")
    ]
    assert {step.run_id for step in steps[1:]} == {"run-1"}
    assert steps[5].detail == {"stack": "SQ07_00152"}
    (clip,) = queries.rows(ledger, phase=Phase.DELIVERED)
    assert (clip.started_at, clip.finished_at) == (began, began + timedelta(seconds=1))
    assert (clip.view_url, clip.folder) == ("https://next.frame.io/1", "2_FROM_ANIM/SQ07")
    assert clip.run_id is None


def test_a_lost_answer_that_led_to_nothing_leads_to_a_second_attempt(ledger: Ledger) -> None:
    claim = transitions.intend_request(
        ledger, claim_one(ledger), target(), way="tunnel", exposure="e1"
    )
    claim = transitions.intend_request(ledger, claim, target(), way="direct", exposure="e2")
    assert [(each.number, each.way, each.exposure) for each in claim.attempts] == [
        (1, "tunnel", "e1"),
        (2, "direct", "e2"),
    ]
    claims.release(ledger, claim)
    assert outcomes(ledger) == [AttemptOutcome.NOTHING, AttemptOutcome.OPEN]


def test_a_lost_answer_that_led_to_a_file_is_adopted(ledger: Ledger) -> None:
    claim = transitions.intend_request(ledger, claim_one(ledger), target(), way="tunnel")
    claim = transitions.requested(ledger, claim, "file-9", adopted=True)
    assert queries.steps(ledger, claim.clip_id)[-1].detail == {"adopted": True, "file_id": "file-9"}
    transitions.done(ledger, transitions.arrived(ledger, claim))
    assert queries.rows(ledger)[0].file_id == "file-9"


def test_an_upload_that_failed_leads_to_a_new_attempt(ledger: Ledger) -> None:
    claim = bring_to_requested(ledger, claim_one(ledger))
    claim = transitions.intend_request(ledger, claim, target(), way="tunnel", exposure="e2")
    assert claim.file_id is None
    claim = transitions.arrived(ledger, transitions.requested(ledger, claim, "file-2"))
    assert [attempt.file_id for attempt in claim.attempts] == ["file-1", "file-2"]
    claims.release(ledger, claim)
    assert outcomes(ledger) == [AttemptOutcome.FAILED, AttemptOutcome.ARRIVED]


def test_a_delivered_clip_cannot_fail(ledger: Ledger) -> None:
    claim = bring_to_arrived(ledger, claim_one(ledger))
    for undo in (transitions.fail, transitions.skip, transitions.supersede):
        with pytest.raises(IllegalMove):
            undo(ledger, claim, BROKEN)
    with pytest.raises(IllegalMove):
        transitions.intend_request(ledger, claim, target(), way="tunnel")
    assert queries.rows(ledger)[0].state is State.ARRIVED


def test_no_stage_can_be_left_out(ledger: Ledger) -> None:
    claim = claim_one(ledger)
    for leap in (
        lambda: transitions.requested(ledger, claim, "file-1"),
        lambda: transitions.arrived(ledger, claim),
        lambda: known_ids.intend_stack(ledger, claim),
        lambda: known_ids.stacked(ledger, claim, "stack-1"),
        lambda: transitions.done(ledger, claim),
    ):
        with pytest.raises(IllegalMove):
            leap()


def test_a_failure_keeps_its_remedy_until_a_person_retries(ledger: Ledger) -> None:
    transitions.fail(ledger, claim_one(ledger), BROKEN)
    (clip,) = queries.rows(ledger, phase=Phase.FAILED)
    assert (clip.reason, clip.hint, clip.code) == (BROKEN.message, BROKEN.hint, BROKEN.code)
    assert claims.claim(ledger, "run-2", limit=1) == []
    assert retrying.retry(ledger) == ["a.mov"]
    (clip,) = queries.rows(ledger, phase=Phase.WAITING)
    assert (clip.reason, clip.tries, clip.finished_at) == (None, 0, None)
    assert queries.steps(ledger, clip.id)[-1].event == "retry"


def test_a_clip_that_failed_on_the_way_is_retried_with_its_past(ledger: Ledger) -> None:
    """What was asked for then may have arrived since: the next run must be able to look."""
    transitions.fail(ledger, bring_to_requested(ledger, claim_one(ledger)), BROKEN)
    retrying.retry(ledger, "a.mov")
    claim = claim_one(ledger)
    assert [(each.file_id, each.outcome) for each in claim.attempts] == [
        ("file-1", AttemptOutcome.ACCEPTED)
    ]
    bring_to_arrived(ledger, claim, "file-2")


def test_what_is_put_off_waits_longer_each_time(ledger: Ledger, clock: Clock) -> None:
    waits = []
    for _ in range(10):
        claim = claim_one(ledger)
        until = transitions.postpone(ledger, claim, BUSY)
        waits.append((until - clock()).total_seconds())
        clock.time = until
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


@pytest.mark.parametrize(("asked", "waits"), [(600.0, 600), (0.5, 30)])
def test_what_is_put_off_waits_as_long_as_the_world_asked_and_never_a_moment_only(
    ledger: Ledger, clock: Clock, asked: float, waits: float
) -> None:
    """A world that asks for a second each time would use up all tries in a minute."""
    why = Retry("Slow down.", hint="Wait.", code="frameio.rate_limited", retry_after=asked)
    until = transitions.postpone(ledger, claim_one(ledger), why)
    assert until - clock() == timedelta(seconds=waits)
    (clip,) = queries.rows(ledger)
    assert (clip.state, clip.code, clip.tries) == (State.READY, "frameio.rate_limited", 1)


def test_putting_off_keeps_what_was_reached(ledger: Ledger, clock: Clock) -> None:
    claim = bring_to_arrived(ledger, claim_one(ledger))
    clock.time = transitions.postpone(ledger, known_ids.intend_stack(ledger, claim), BUSY)
    assert claim_one(ledger).state is State.STACKING


@pytest.mark.parametrize("state", [State.ARRIVED, State.STACKING, State.STACKED])
def test_what_only_lacks_its_stack_is_delivered_and_taken_up_again(
    ledger: Ledger, clock: Clock, state: State
) -> None:
    claim = bring_to_arrived(ledger, claim_one(ledger))
    if state is not State.ARRIVED:
        claim = known_ids.intend_stack(ledger, claim)
    if state is State.STACKED:
        claim = known_ids.stacked(ledger, claim, "stack-1")
    began = clock()
    until = transitions.postpone_stack(ledger, claim, BUSY)
    assert until - clock() == timedelta(seconds=30)
    assert stack_queue.take_next(ledger, "run-2") is None
    (clip,) = queries.rows(ledger, phase=Phase.DELIVERED)
    assert (clip.state, clip.code, clip.finished_at) == (state, BUSY.code, began)

    clock.time = until
    assert claims.claim(ledger, "run-2", limit=1) == []
    claim = take_stack(ledger, "run-2")
    assert (claim.state, claim.finished_at) == (state, began)
    assert queries.counts(ledger)[Phase.DELIVERED] == 1
    transitions.done(ledger, claim)
    (clip,) = queries.rows(ledger, phase=Phase.DELIVERED)
    assert (clip.state, clip.code, clip.finished_at) == (State.DONE, None, began)


def test_the_stack_is_waited_for_longer_each_time(ledger: Ledger, clock: Clock) -> None:
    bring_to_arrived(ledger, claim_one(ledger))
    outlive(ledger, clock)
    claim, waits = claim_one(ledger, "run-2"), []
    for _ in range(3):
        until = transitions.postpone_stack(ledger, claim, BUSY)
        waits.append((until - clock()).total_seconds())
        clock.time = until
        claim = take_stack(ledger, "run-2")
    assert waits == [30, 60, 120]


def test_what_has_not_arrived_cannot_wait_for_its_stack_alone(ledger: Ledger) -> None:
    with pytest.raises(IllegalMove):
        transitions.postpone_stack(ledger, bring_to_requested(ledger, claim_one(ledger)), BUSY)
    assert queries.counts(ledger)[Phase.DELIVERED] == 0


def test_a_run_that_dies_at_the_stack_of_a_delivered_clip_leaves_it_delivered(
    ledger: Ledger, clock: Clock
) -> None:
    clock.time = transitions.postpone_stack(
        ledger, bring_to_arrived(ledger, claim_one(ledger)), BUSY
    )
    finished = known_ids.intend_stack(ledger, take_stack(ledger)).finished_at
    outlive(ledger, clock)
    claim = take_stack(ledger, "run-2")
    assert (claim.state, claim.finished_at) == (State.STACKING, finished)
    assert finished is not None


def test_a_person_can_end_the_waiting_for_the_stack(ledger: Ledger) -> None:
    transitions.postpone_stack(ledger, bring_to_arrived(ledger, claim_one(ledger)), BUSY)
    assert retrying.retry(ledger, "a.mov") == ["a.mov"]
    assert take_stack(ledger).finished_at is not None


def test_what_only_lacks_its_stack_is_not_for_a_persons_hands(ledger: Ledger, root: Root) -> None:
    claim = bring_to_arrived(ledger, claim_one(ledger))
    transitions.postpone_stack(ledger, claim, BUSY)
    assert claims.claim_clip(ledger, "hand", claim.clip_id) is None
    registered = registry.register(ledger, root, media(root, "a.mov"))
    assert registered is not None
    assert (registered.delivered, registered.new) == (True, False)


def test_a_person_can_end_the_waiting(ledger: Ledger) -> None:
    transitions.postpone(ledger, claim_one(ledger), BUSY)
    assert retrying.retry(ledger, "other.mov") == []
    assert retrying.retry(ledger, "a.mov", studio="other") == []
    assert retrying.retry(ledger, "a.mov", studio="main") == ["a.mov"]
    assert claim_one(ledger).tries == 0


def test_a_person_can_take_back_a_skip_by_name_only(ledger: Ledger) -> None:
    transitions.skip(ledger, claim_one(ledger), MISNAMED)
    assert retrying.retry(ledger) == []
    assert retrying.retry(ledger, "a.mov") == ["a.mov"]


def test_nobody_retries_what_a_run_works_on_or_what_was_delivered(ledger: Ledger) -> None:
    claim = bring_to_arrived(ledger, claim_one(ledger))
    assert retrying.retry(ledger, "a.mov") == []
    transitions.done(ledger, claim)
    assert retrying.retry(ledger, "a.mov") == []


def test_done_can_note_what_was_left_undone(ledger: Ledger) -> None:
    claim = bring_to_arrived(ledger, claim_one(ledger))
    note = Fatal("The stack is full.", hint="Split it.", code="frameio.stack_full")
    transitions.done(ledger, claim, note=note)
    (clip,) = queries.rows(ledger, phase=Phase.DELIVERED)
    assert clip.code == "frameio.stack_full"


def test_text_no_database_can_hold_does_not_stop_a_failure(ledger: Ledger) -> None:
    odd = Fatal("It said \0 and \ud800.", hint="Ask.", code="frameio.odd")
    transitions.fail(ledger, claim_one(ledger), odd)
    assert queries.rows(ledger)[0].reason == "It said ? and ?."
