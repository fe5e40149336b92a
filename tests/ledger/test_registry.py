"""Which files become clips, and which are known already."""

from __future__ import annotations

from pathlib import Path

import pytest

from postflow.errors import Retry
from postflow.ledger import (
    Announcement,
    Ledger,
    ObservationState,
    Phase,
    Root,
    State,
    claims,
    observations,
    outbox,
    queries,
    registry,
    roots,
    transitions,
)
from tests.ledger.consistency import check_consistent
from tests.ledger.ground import (
    BROKEN,
    CHANGED,
    GONE,
    MISNAMED,
    Clock,
    add,
    bring_to_arrived,
    bring_to_requested,
    claim_one,
    media,
    sighting,
    target,
)

BUSY = Retry("Frame.io is busy.", hint="Nothing.", code="frameio.slow")


def states(ledger: Ledger) -> dict[int, State]:
    return {clip.id: clip.state for clip in queries.rows(ledger)}


def test_a_whole_file_is_ready_once(ledger: Ledger, root: Root) -> None:
    first = add(ledger, root, "a.mov")
    again = registry.register(ledger, root, media(root, "a.mov"))
    assert again is not None
    assert (again.clip_id, again.new) == (first, False)
    assert claims.ready(ledger) == 1


def test_a_new_mtime_alone_is_the_same_revision(ledger: Ledger, root: Root) -> None:
    first = add(ledger, root, "a.mov")
    observations.observe(ledger, root, [sighting(root, "a.mov", mtime_ns=7)])
    again = registry.register(ledger, root, media(root, "a.mov", mtime_ns=7))
    assert again is not None
    assert (again.clip_id, again.new) == (first, False)
    assert claim_one(ledger).mtime_ns == 7


def test_new_metadata_is_the_same_revision_and_is_sent_as_it_is_now(
    ledger: Ledger, root: Root
) -> None:
    first = add(ledger, root, "a.mov", size=1000)
    assert add(ledger, root, "a.mov", size=1100) == first
    assert claim_one(ledger).size == 1100


def test_new_metadata_in_a_delivered_clip_changes_nothing_of_what_was_delivered(
    ledger: Ledger, root: Root
) -> None:
    first = add(ledger, root, "a.mov", size=1000)
    transitions.done(ledger, bring_to_arrived(ledger, claim_one(ledger)))
    observations.observe(ledger, root, [sighting(root, "a.mov", size=1100, mtime_ns=7)])
    again = registry.register(ledger, root, media(root, "a.mov", size=1100, mtime_ns=7))
    assert again is not None
    assert (again.clip_id, again.new, again.delivered) == (first, False, True)
    (clip,) = queries.rows(ledger)
    assert (clip.phase, clip.size) == (Phase.DELIVERED, 1000)


def test_a_doubt_is_kept_with_its_clip(ledger: Ledger, root: Root) -> None:
    observations.observe(ledger, root, [sighting(root, "a.mov")])
    odd = media(root, "a.mov").model_copy(update={"doubt": "ends in zeros"})
    registry.register(ledger, root, odd)
    assert claim_one(ledger).media.doubt == "ends in zeros"
    assert queries.rows(ledger)[0].doubt == "ends in zeros"


def test_what_changed_since_it_was_probed_is_not_entered(ledger: Ledger, root: Root) -> None:
    observations.observe(ledger, root, [sighting(root, "a.mov", size=2000)])
    assert registry.register(ledger, root, media(root, "a.mov", size=1000)) is None
    assert registry.register(ledger, root, media(root, "never-seen.mov")) is None
    assert claims.ready(ledger) == 0
    assert observations.known(ledger, root)[0].state is ObservationState.SETTLING


def test_the_same_name_in_two_folders_is_two_clips(ledger: Ledger, root: Root) -> None:
    other = roots.add(ledger, "other", Path("/mnt/other"))
    add(ledger, root, "one/a.mov")
    add(ledger, root, "two/a.mov")
    add(ledger, other, "one/a.mov")
    assert claims.ready(ledger) == 3
    assert (claims.ready(ledger, "main"), claims.ready(ledger, "other")) == (2, 1)


def test_new_content_supersedes_what_has_not_begun(ledger: Ledger, root: Root) -> None:
    old = add(ledger, root, "a.mov", content="a")
    new = add(ledger, root, "a.mov", content="b", size=2000)
    assert states(ledger) == {old: State.SUPERSEDED, new: State.READY}
    check_consistent(ledger)


def test_new_content_takes_over_what_was_told_of_one_that_waits(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    """Else the channel would say for ever that it is waiting."""
    first = add(ledger, root, "a.mov")
    waiting = Announcement(key=f"main/clip-{first}", channel="main", payload={"title": "waits"})
    claim = claim_one(ledger)
    transitions.announce(ledger, claim, waiting)
    outbox.sent(ledger, outbox.sending(ledger, outbox.due(ledger)[0], "run-1"), "m1")
    transitions.postpone(ledger, claim, BUSY)
    second = add(ledger, root, "a.mov", content="b")
    assert states(ledger)[first] is State.SUPERSEDED
    (message,) = outbox.messages(ledger)
    assert (message.key, message.clip_id) == (f"main/clip-{second}", second)
    third = add(ledger, root, "a.mov", content="c")
    clock.forward(600)
    ready = Announcement(key=f"main/clip-{third}", channel="main", payload={"title": "ready"})
    transitions.announce(ledger, claim_one(ledger), ready)
    (edit,) = outbox.due(ledger)
    assert (edit.message_id, edit.payload) == ("m1", {"title": "ready"})


def test_new_content_supersedes_what_failed(ledger: Ledger, root: Root) -> None:
    old = add(ledger, root, "a.mov", content="a")
    transitions.fail(ledger, claim_one(ledger), BROKEN)
    new = add(ledger, root, "a.mov", content="b", size=2000)
    assert states(ledger) == {old: State.SUPERSEDED, new: State.READY}
    check_consistent(ledger)


def test_new_content_leaves_alone_what_a_run_works_on(ledger: Ledger, root: Root) -> None:
    old = add(ledger, root, "a.mov", content="a")
    claim = claim_one(ledger)
    new = add(ledger, root, "a.mov", content="b", size=2000)
    assert states(ledger) == {old: State.READY, new: State.READY}
    transitions.supersede(ledger, claim, CHANGED)
    assert states(ledger)[old] is State.SUPERSEDED


def test_new_content_leaves_alone_what_may_be_at_frameio(ledger: Ledger, root: Root) -> None:
    """A request is out: somebody has to look what became of it."""
    old = add(ledger, root, "a.mov", content="a")
    claim = bring_to_requested(ledger, claim_one(ledger))
    claims.release(ledger, claim)
    add(ledger, root, "a.mov", content="b", size=2000)
    (first,) = claims.claim(ledger, "run-2", limit=5)
    assert (first.clip_id, first.state) == (old, State.REQUESTED)


def test_new_content_leaves_alone_what_was_delivered(ledger: Ledger, root: Root) -> None:
    old = add(ledger, root, "a.mov", content="a")
    transitions.done(ledger, bring_to_arrived(ledger, claim_one(ledger)))
    new = add(ledger, root, "a.mov", content="b", size=2000)
    assert states(ledger) == {old: State.DONE, new: State.READY}


def test_content_that_was_delivered_is_not_delivered_again(ledger: Ledger, root: Root) -> None:
    """Exported as A, then as B, then as A again: A is at Frame.io already."""
    old = add(ledger, root, "a.mov", content="a")
    transitions.done(ledger, bring_to_arrived(ledger, claim_one(ledger)))
    new = add(ledger, root, "a.mov", content="b", size=2000)
    assert add(ledger, root, "a.mov", content="a") == old
    assert states(ledger) == {old: State.DONE, new: State.SUPERSEDED}
    assert claims.ready(ledger) == 0


def test_superseded_content_that_comes_back_is_ready_again(ledger: Ledger, root: Root) -> None:
    old = add(ledger, root, "a.mov", content="a")
    new = add(ledger, root, "a.mov", content="b", size=2000)
    assert add(ledger, root, "a.mov", content="a") == old
    assert states(ledger) == {old: State.READY, new: State.SUPERSEDED}
    check_consistent(ledger)


@pytest.mark.parametrize(("why", "back"), [(GONE, True), (MISNAMED, False)])
def test_only_a_clip_that_was_skipped_because_it_was_gone_comes_back(
    ledger: Ledger, root: Root, why: Exception, back: bool
) -> None:
    add(ledger, root, "a.mov")
    transitions.skip(ledger, claim_one(ledger), GONE if back else MISNAMED)
    waits = observations.known(ledger, root, ObservationState.SETTLING)
    assert bool(waits) is back
    found = registry.register(ledger, root, media(root, "a.mov"))
    assert found is not None
    assert found.new is back
    assert claims.ready(ledger) == int(back)


def test_a_request_for_a_superseded_file_is_illegal(ledger: Ledger, root: Root) -> None:
    add(ledger, root, "a.mov")
    claim = claim_one(ledger)
    transitions.supersede(ledger, claim, CHANGED)
    with pytest.raises(Exception, match="no longer in the hands"):
        transitions.intend_request(ledger, claim, target(), way="tunnel")
