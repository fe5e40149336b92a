"""Many clips, one message: who belongs to a batch, and when there is something new to tell."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from postflow.discord.summary import batch_card
from postflow.ledger import (
    Announcement,
    Batch,
    Claimed,
    Ledger,
    Root,
    State,
    batches,
    claims,
    export,
    outbox,
    retrying,
    transitions,
)
from tests.ledger.ground import (
    BROKEN,
    BUSY,
    CHANGED,
    MISNAMED,
    Clock,
    add,
    add_many,
    bring_to_arrived,
    claim_one,
    take_stack,
)

PAUSE = 10.0


def gather(ledger: Ledger, *, project: str = "UNDLM") -> None:
    batches.gather(ledger, studio="main", channel="dailies", project=project)


def untold(ledger: Ledger, pause: float = 0.0) -> list[Batch]:
    return batches.outdated(ledger, "dailies", pause=pause)


def tell(ledger: Ledger, text: str = "so far", pause: float = 0.0) -> list[Batch]:
    """Tell what there is to tell; returns it."""
    found = untold(ledger, pause)
    for batch in found:
        announcement = Announcement(
            key=f"batch-{batch.id}", channel="dailies", payload={"content": text}
        )
        batches.publish(ledger, batch, announcement)
    return found


def states(batch: Batch) -> list[State]:
    return [clip.state for clip in batch.clips]


def own_message(claim: Claimed) -> Announcement:
    return Announcement(
        key=f"clip-{claim.clip_id}", channel="dailies", payload={"content": "its own"}
    )


def test_clips_that_wait_become_a_batch_of_which_nothing_is_lost(
    ledger: Ledger, root: Root
) -> None:
    add_many(ledger, root, 3)
    gather(ledger)
    (batch,) = tell(ledger)
    assert (batch.project, states(batch)) == ("UNDLM", [State.READY] * 3)
    assert untold(ledger) == []
    transitions.done(ledger, bring_to_arrived(ledger, claim_one(ledger)))
    transitions.fail(ledger, claim_one(ledger), BROKEN)
    transitions.skip(ledger, claim_one(ledger), MISNAMED)
    (batch,) = untold(ledger)
    assert states(batch) == [State.DONE, State.FAILED, State.SKIPPED]
    assert batch.clips[0].view_url == "https://next.frame.io/file-1"
    assert [clip.hint for clip in batch.clips] == [None, BROKEN.hint, MISNAMED.hint]


def test_without_clips_there_is_no_batch(ledger: Ledger) -> None:
    gather(ledger)
    assert untold(ledger) == []


def test_what_a_dead_run_did_not_tell_the_next_one_tells_in_the_same_batch(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    add_many(ledger, root, 3)
    gather(ledger)
    (told,) = tell(ledger)
    transitions.done(ledger, bring_to_arrived(ledger, claim_one(ledger, "run-1")))
    claim_one(ledger, "run-1")
    clock.forward(61)
    add(ledger, root, "found after the crash.mov")
    gather(ledger)
    taken = claims.claim(ledger, "run-2", limit=10)
    assert {claim.batch_id for claim in taken} == {told.id}
    (batch,) = tell(ledger)
    assert (batch.id, states(batch)) == (told.id, [State.DONE] + [State.READY] * 3)


def test_two_runs_share_one_batch(ledger: Ledger, root: Root) -> None:
    add_many(ledger, root, 2)
    gather(ledger)
    first = claim_one(ledger, "run-1")
    add(ledger, root, "late.mov")
    gather(ledger)
    others = claims.claim(ledger, "run-2", limit=5)
    assert {claim.batch_id for claim in others} == {first.batch_id}


def test_a_clip_with_a_message_of_its_own_keeps_it(ledger: Ledger, root: Root) -> None:
    """The batch begins when more clips are found than were told of one by one so far."""
    add_many(ledger, root, 2)
    travelling, put_off = claims.claim(ledger, "run-1", limit=2)
    for claim in (travelling, put_off):
        transitions.announce(ledger, claim, own_message(claim))
    claims.release(ledger, put_off)
    add(ledger, root, "new.mov")
    gather(ledger)
    taken = {claim.name: claim.batch_id for claim in claims.claim(ledger, "run-1", limit=5)}
    assert taken[put_off.name] is None
    assert taken["new.mov"] is not None
    (batch,) = untold(ledger)
    assert [clip.name for clip in batch.clips] == ["new.mov"]


def test_a_clip_that_was_put_off_ends_in_the_batch_it_began_in(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    add_many(ledger, root, 2)
    gather(ledger)
    transitions.done(ledger, bring_to_arrived(ledger, claim_one(ledger)))
    clock.time = transitions.postpone(ledger, claim_one(ledger), BUSY)
    (before,) = tell(ledger)
    assert before.clips[1].reason == BUSY.message
    transitions.done(ledger, bring_to_arrived(ledger, claim_one(ledger, "run-2"), "file-2"))
    (after,) = untold(ledger)
    assert (after.id, states(after)) == (before.id, [State.DONE] * 2)


def test_a_clip_that_only_lacks_its_stack_is_delivered_in_its_batch(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    """Its batch is over, and has nothing to tell when the stack follows."""
    add(ledger, root, "a.mov")
    gather(ledger)
    until = transitions.postpone_stack(ledger, bring_to_arrived(ledger, claim_one(ledger)), BUSY)
    (batch,) = tell(ledger, pause=PAUSE)
    assert [clip.delivered for clip in batch.clips] == [True]
    card = batch_card(batch)

    add(ledger, root, "b.mov")
    gather(ledger)
    assert retrying.retry(ledger, "a.mov")
    clock.time = until
    transitions.done(ledger, take_stack(ledger))
    old, new = untold(ledger)
    assert (old.id, batch_card(old)) == (batch.id, card)
    assert [clip.name for clip in new.clips] == ["b.mov"]


def test_a_batch_takes_no_clip_that_is_delivered_but_for_its_stack(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    add(ledger, root, "a.mov")
    clock.time = transitions.postpone_stack(
        ledger, bring_to_arrived(ledger, claim_one(ledger)), BUSY
    )
    gather(ledger)
    assert untold(ledger) == []


def test_a_batch_that_only_waits_for_clips_put_off_takes_no_new_ones(
    ledger: Ledger, root: Root
) -> None:
    add(ledger, root, "old.mov")
    gather(ledger)
    transitions.postpone(ledger, claim_one(ledger), BUSY)
    add(ledger, root, "new.mov")
    gather(ledger)
    old, new = untold(ledger)
    assert [[clip.name for clip in each.clips] for each in (old, new)] == [["old.mov"], ["new.mov"]]


@pytest.mark.parametrize("other", ["channel", "project", "studio"])
def test_batches_of_others_are_others(ledger: Ledger, root: Root, other: str) -> None:
    add(ledger, root, "a.mov")
    gather(ledger)
    add(ledger, root, "b.mov")
    call = {"studio": "main", "channel": "dailies", "project": "UNDLM"} | {other: "another"}
    batches.gather(ledger, **call)
    assert [clip.name for clip in untold(ledger)[0].clips] == ["a.mov"]
    assert len(untold(ledger)) == (2 if other == "project" else 1)


def by_hand(ledger: Ledger, clip_id: int) -> None:
    assert claims.claim_clip(ledger, "hand", clip_id)


def by_retry(ledger: Ledger, clip_id: int) -> None:
    transitions.fail(ledger, claim_one(ledger), BROKEN)
    retrying.retry(ledger)


def by_retry_of_what_was_put_off(ledger: Ledger, clip_id: int) -> None:
    transitions.postpone(ledger, claim_one(ledger), BUSY)
    retrying.retry(ledger, "SQ07_000_v001.mov")


@pytest.mark.parametrize("take", [by_hand, by_retry, by_retry_of_what_was_put_off])
def test_what_a_person_takes_in_hand_leaves_the_batch(
    ledger: Ledger, root: Root, take: Callable[[Ledger, int], None]
) -> None:
    """It is told of anew, and perhaps elsewhere; nothing is told twice."""
    clip_id, _ = add_many(ledger, root, 2)
    gather(ledger)
    tell(ledger)
    take(ledger, clip_id)
    (batch,) = untold(ledger)
    assert [clip.name for clip in batch.clips] == ["SQ07_001_v001.mov"]


def test_of_a_clip_that_was_replaced_its_successor_tells(ledger: Ledger, root: Root) -> None:
    add_many(ledger, root, 2)
    gather(ledger)
    transitions.supersede(ledger, claim_one(ledger), CHANGED)
    (batch,) = tell(ledger)
    assert [clip.name for clip in batch.clips] == ["SQ07_001_v001.mov"]
    transitions.supersede(ledger, claim_one(ledger), CHANGED)
    assert untold(ledger) == []


def test_a_batch_is_told_now_and_then_and_at_its_end(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    add_many(ledger, root, 3)
    gather(ledger)
    assert tell(ledger, pause=PAUSE)
    transitions.fail(ledger, claim_one(ledger), BROKEN)
    assert tell(ledger, pause=PAUSE) == []
    clock.forward(PAUSE)
    assert tell(ledger, pause=PAUSE)
    transitions.fail(ledger, claim_one(ledger), BROKEN)
    assert tell(ledger, pause=PAUSE) == []
    transitions.fail(ledger, claim_one(ledger), BROKEN)
    assert tell(ledger, pause=PAUSE)


def test_what_was_read_earlier_does_not_replace_what_was_told_since(
    ledger: Ledger, root: Root
) -> None:
    """Two runs tell of one batch; the slower of them has read less."""
    add_many(ledger, root, 2)
    gather(ledger)
    (slow,) = untold(ledger)
    transitions.fail(ledger, claim_one(ledger), BROKEN)
    tell(ledger, "newer")
    batches.publish(
        ledger, slow, Announcement(key=f"batch-{slow.id}", channel="dailies", payload={"c": 1})
    )
    assert [message.payload for message in outbox.messages(ledger)] == [{"content": "newer"}]
    assert untold(ledger) == []


def test_a_batch_that_changed_since_it_was_read_stays_untold(ledger: Ledger, root: Root) -> None:
    add_many(ledger, root, 2)
    gather(ledger)
    (read,) = untold(ledger)
    transitions.fail(ledger, claim_one(ledger), BROKEN)
    batches.publish(ledger, read, Announcement(key="batch", channel="dailies", payload={}))
    assert states(untold(ledger)[0])[0] is State.FAILED


def test_the_export_names_batches(ledger: Ledger, root: Root) -> None:
    add(ledger, root, "a.mov")
    gather(ledger)
    assert sum('"kind": "batch"' in line for line in export.lines(ledger)) == 1
