"""What a person puts first or cancels, and what is said of how much is left."""

from __future__ import annotations

import pytest

from postflow.ledger import (
    Announcement,
    Claimed,
    Ledger,
    Phase,
    Root,
    State,
    claims,
    leases,
    observations,
    outbox,
    progress,
    queries,
    queue,
    registry,
    retrying,
    transitions,
)
from postflow.ledger.queue import BY_COMMAND, CANCELLED, Outcome, Spot
from postflow.models import MediaFile
from tests.ledger.consistency import check_consistent
from tests.ledger.ground import (
    BUSY,
    Clock,
    add,
    add_many,
    bring_to_arrived,
    bring_to_requested,
    claim_one,
    media,
    outlive,
    sighting,
)


def silent(_clip: int, _media: MediaFile) -> None: ...


def spot(ledger: Ledger, name: str) -> Spot:
    (found,) = queue.spots(ledger, name, studio="main")
    return found


def cancel(ledger: Ledger, name: str) -> list[Outcome]:
    told = queue.cancel(ledger, "main", BY_COMMAND, silent, at=spot(ledger, name))
    return [outcome for _, outcome in told]


def state(ledger: Ledger, name: str) -> tuple[State, str | None, str | None]:
    row = queries.rows(ledger, name=name)[0]
    return row.state, row.code, row.cancelled


def test_what_was_put_first_goes_before_all_but_what_was_begun(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    add(ledger, root, "begun.mov")
    bring_to_requested(ledger, claim_one(ledger, "dead"))
    names = ["a.mov", "b.mov", "c.mov", "d.mov"]
    for name in names:
        add(ledger, root, name)
        clock.forward(1)
    outlive(ledger, clock)
    assert queue.put_first(ledger, spot(ledger, "c.mov")) is Outcome.FIRST
    assert queue.put_first(ledger, spot(ledger, "d.mov")) is Outcome.FIRST
    taken = claims.claim(ledger, "run-2", limit=9)
    assert [each.name for each in taken] == ["begun.mov", "d.mov", "c.mov", "a.mov", "b.mov"]
    assert queue.put_first(ledger, spot(ledger, "a.mov")) is Outcome.TRAVELS
    transitions.done(ledger, bring_to_arrived(ledger, taken[1]))
    assert queue.put_first(ledger, spot(ledger, "d.mov")) is None


def test_what_was_put_off_is_due_once_it_is_put_first(ledger: Ledger, root: Root) -> None:
    add(ledger, root, "a.mov")
    transitions.postpone(ledger, claim_one(ledger), BUSY)
    assert claims.ready(ledger) == 0
    queue.put_first(ledger, spot(ledger, "a.mov"))
    assert claims.ready(ledger) == 1


def test_a_newer_export_of_what_goes_first_goes_first(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    for name in ("a.mov", "b.mov"):
        add(ledger, root, name)
        clock.forward(1)
    queue.put_first(ledger, spot(ledger, "b.mov"))
    newer = add(ledger, root, "b.mov", content="newer", size=77)
    assert claim_one(ledger).clip_id == newer


def test_what_waits_is_cancelled_at_once_and_a_retry_has_it_wait_again(
    ledger: Ledger, root: Root
) -> None:
    add(ledger, root, "a.mov")
    assert cancel(ledger, "a.mov") == [Outcome.CANCELLED]
    assert state(ledger, "a.mov") == (State.FAILED, CANCELLED, None)
    assert cancel(ledger, "a.mov") == []
    assert claims.ready(ledger) == 0
    retrying.retry(ledger, "a.mov")
    assert claim_one(ledger).cancelled is None
    check_consistent(ledger)


def test_a_waiting_clips_message_says_so_and_one_without_gets_none(
    ledger: Ledger, root: Root
) -> None:
    told, untold = add_many(ledger, root, 2)

    def announce(clip: int, _media: MediaFile) -> Announcement:
        return Announcement(key=f"main/clip-{clip}", channel="main", payload={"says": "cancelled"})

    claim = claim_one(ledger)
    waits = Announcement(key=f"main/clip-{told}", channel="main", payload={"says": "waits"})
    transitions.announce(ledger, claim, waits)
    transitions.postpone(ledger, claim, BUSY)
    queue.cancel(ledger, "main", BY_COMMAND, announce)
    shown = {each.clip_id: each.payload["says"] for each in outbox.messages(ledger)}
    assert shown == {told: "cancelled"}
    assert untold not in shown


@pytest.mark.parametrize("is_held", [True, False])
def test_what_was_begun_is_ended_by_the_run_that_has_it_or_the_next(
    is_held: bool, ledger: Ledger, root: Root
) -> None:
    """It may have left something in Frame.io."""
    add(ledger, root, "a.mov")
    claim = bring_to_requested(ledger, claim_one(ledger))
    if not is_held:
        transitions.postpone(ledger, claim, BUSY)
    expected = Outcome.IS_STOPPED if is_held else Outcome.IS_TIDIED
    assert cancel(ledger, "a.mov") == [expected]
    assert cancel(ledger, "a.mov") == [Outcome.ALREADY]
    assert state(ledger, "a.mov") == (State.REQUESTED, None if is_held else BUSY.code, BY_COMMAND)
    if is_held:
        assert queue.how_cancelled(ledger, claim) == BY_COMMAND
        leases.end(ledger, "run-1")
    # its folder may be away: nothing of the file is needed
    (again,) = claims.claim(ledger, "run-2", limit=1, folders={})
    assert again.cancelled == BY_COMMAND
    transitions.fail(ledger, again, queue.cancelled(again.name, BY_COMMAND))
    assert state(ledger, "a.mov") == (State.FAILED, CANCELLED, None)


def test_what_arrived_before_the_word_was_heard_stays_delivered(ledger: Ledger, root: Root) -> None:
    add(ledger, root, "a.mov")
    claim = bring_to_requested(ledger, claim_one(ledger))
    cancel(ledger, "a.mov")
    claim = transitions.arrived(ledger, claim)
    assert queue.how_cancelled(ledger, claim) is None
    queue.mark_cancelled(ledger, claim, BY_COMMAND)
    assert cancel(ledger, "a.mov") == []
    assert state(ledger, "a.mov") == (State.ARRIVED, None, None)


def test_of_a_file_that_settles_the_word_counts_once_it_is_whole(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    names = ("SQ07/no.mov", "yes.mov", "again.mov", "other.mov")
    observations.observe(ledger, root, [sighting(root, name) for name in names])
    assert cancel(ledger, "no.mov") == [Outcome.CANCELLED_WHEN_WHOLE]
    assert cancel(ledger, str(root.path / "again.mov")) == [Outcome.CANCELLED_WHEN_WHOLE]
    assert queue.forget_wish(ledger, spot(ledger, "again.mov"))
    assert queue.put_first(ledger, spot(ledger, "yes.mov")) is Outcome.FIRST_WHEN_WHOLE
    observations.observe(ledger, root, [sighting(root, "SQ07/no.mov", size=77)])
    for name in ("other.mov", "again.mov", "yes.mov"):
        registry.register(ledger, root, media(root, name))
        clock.forward(1)
    entered = registry.register(ledger, root, media(root, "SQ07/no.mov", size=77))
    assert entered is not None
    assert entered.state is State.FAILED
    assert state(ledger, "no.mov")[:2] == (State.FAILED, CANCELLED)
    taken = [each.name for each in claims.claim(ledger, "run-1", limit=9)]
    assert taken == ["yes.mov", "other.mov", "again.mov"]
    newer = add(ledger, root, "SQ07/no.mov", content="newer", size=99)
    assert [each.clip_id for each in claims.claim(ledger, "run-1", limit=9)] == [newer]


def test_all_is_what_waits_travels_or_settles_of_one_studio_and_no_delivery(
    ledger: Ledger, root: Root
) -> None:
    add(ledger, root, "delivered.mov")
    transitions.done(ledger, bring_to_arrived(ledger, claim_one(ledger)))
    for name in ("travels.mov", "waits.mov"):
        add(ledger, root, name)
    claim_one(ledger, "run-2")
    observations.observe(ledger, root, [sighting(root, "settles.mov")])
    assert queue.cancel(ledger, "other", BY_COMMAND, silent) == []
    told = dict(queue.cancel(ledger, "main", BY_COMMAND, silent))
    assert told == {
        "travels.mov": Outcome.IS_STOPPED,
        "waits.mov": Outcome.CANCELLED,
        "settles.mov": Outcome.CANCELLED_WHEN_WHOLE,
    }
    assert queries.counts(ledger)[Phase.DELIVERED] == 1


def sent(ledger: Ledger, claim: Claimed, so_far: int, rate: float) -> None:
    progress.note(ledger, claim, so_far, rate)


def test_what_is_left_is_told_in_files_bytes_and_seconds(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    add(ledger, root, "delivered.mov")
    transitions.done(ledger, bring_to_arrived(ledger, claim_one(ledger)))
    add(ledger, root, "travels.mov", size=1000)
    add(ledger, root, "waits.mov", size=500)
    assert progress.left(ledger, "main").model_dump() == {
        "clips": 2,
        "bytes": 1500,
        "rate": None,
        "seconds": None,
    }
    claim = bring_to_requested(ledger, claim_one(ledger))
    sent(ledger, claim, 400, 100.0)
    (told,) = progress.travelling(ledger, "main").values()
    assert (told.sent, told.left, told.rate, told.seconds) == (400, 600, 100.0, 6.0)
    left = progress.left(ledger, "main")
    assert (left.clips, left.bytes, left.seconds) == (2, 1100, 11.0)
    steps = len(queries.steps(ledger, claim.clip_id))
    sent(ledger, claim, 500, 100.0)
    assert len(queries.steps(ledger, claim.clip_id)) == steps, "no line of history"
    clock.forward(16)
    assert progress.travelling(ledger, "main")[claim.clip_id].rate is None, "nothing was heard"
    clock.forward(60)
    assert progress.travelling(ledger, "main") == {}, "its run is dead"
    assert progress.left(ledger, "main").bytes == 1500
