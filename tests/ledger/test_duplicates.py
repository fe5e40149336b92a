"""The same content under two paths is told of once."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update

from postflow.ledger import (
    Announcement,
    Claimed,
    Ledger,
    Root,
    batches,
    claims,
    registry,
    roots,
    transitions,
)
from postflow.ledger.schema import leases
from tests.ledger.ground import (
    BUSY,
    Clock,
    add,
    bring_to_arrived,
    bring_to_requested,
    claim_one,
    outlive,
    target,
)


def claim_by_hand(ledger: Ledger, clip_id: int) -> Claimed:
    """As of a run to which a person hands over both copies."""
    claim = claims.claim_clip(ledger, "run-1", clip_id)
    assert claim is not None
    return claim


FIRST, SECOND = "a/SQ07_001_v001.mov", "b/SQ07_001_v001.mov"


def test_a_copy_waits_for_the_first_and_has_nothing_to_tell(ledger: Ledger, root: Root) -> None:
    """Two hosts would find nothing in Frame.io, both, and both send it."""
    add(ledger, root, FIRST)
    copy = add(ledger, roots.add(ledger, "main", Path("/mnt/other"), "mark-2"), SECOND)
    (first,) = claims.claim(ledger, "run-1", limit=2)
    with ledger.writing() as tx:
        tx.execute(update(leases).values(machine="another"))
    for step in (bring_to_requested, transitions.arrived):
        assert claims.ready(ledger) == 0
        assert claims.claim(ledger, "run-2", limit=2) == []
        assert claims.claim_clip(ledger, "run-2", copy) is None
        first = step(ledger, first)
    transitions.done(ledger, first)
    second = claim_one(ledger, "run-2")
    assert second.clip_id == copy
    assert registry.is_announced_elsewhere(ledger, second)
    assert registry.is_announced_elsewhere(ledger, bring_to_arrived(ledger, second))


def test_a_copy_that_a_person_sends_from_the_same_machine_is_not_refused(
    ledger: Ledger, root: Root
) -> None:
    """The lock of `transfer` lets it wait."""
    add(ledger, root, FIRST)
    copy = add(ledger, roots.add(ledger, "main", Path("/mnt/other"), "mark-2"), SECOND)
    bring_to_requested(ledger, claim_one(ledger, "run-1"))
    assert claims.claim_clip(ledger, "run-2", copy)


@pytest.mark.parametrize("how", ["dies", "is put off"])
def test_a_copy_goes_once_the_first_is_in_nobodys_hands(
    ledger: Ledger, root: Root, clock: Clock, how: str
) -> None:
    add(ledger, root, FIRST)
    copy = add(ledger, elsewhere := roots.add(ledger, "main", Path("/mnt/other"), "mark-2"), SECOND)
    first = bring_to_requested(ledger, claim_one(ledger, "run-1"))
    if how == "dies":
        outlive(ledger, clock)
    else:
        transitions.postpone(ledger, first, BUSY)
    reach = {elsewhere.id: elsewhere.path}
    assert claims.ready(ledger, folders=reach) == 1
    assert [each.clip_id for each in claims.claim(ledger, "run-2", limit=2, folders=reach)] == [
        copy
    ]


def test_a_copy_that_became_another_file_is_told_of(ledger: Ledger, root: Root) -> None:
    add(ledger, root, FIRST)
    transitions.done(ledger, bring_to_arrived(ledger, claim_one(ledger)))
    add(ledger, root, SECOND)
    assert not registry.is_announced_elsewhere(
        ledger, bring_to_arrived(ledger, claim_one(ledger), "file-2")
    )


def test_a_copy_whose_message_was_begun_is_told_to_its_end(ledger: Ledger, root: Root) -> None:
    begun = claim_by_hand(ledger, add(ledger, root, SECOND))
    transitions.announce(
        ledger, begun, Announcement(key="k", channel="main", payload={"title": "on its way"})
    )
    first = claim_by_hand(ledger, add(ledger, root, FIRST))
    transitions.done(ledger, bring_to_arrived(ledger, first))
    assert not registry.is_announced_elsewhere(ledger, begun)


def test_another_content_of_that_name_is_no_copy(ledger: Ledger, root: Root) -> None:
    add(ledger, root, FIRST)
    transitions.done(ledger, bring_to_arrived(ledger, claim_one(ledger)))
    add(ledger, root, SECOND, content="b")
    assert not registry.is_announced_elsewhere(ledger, claim_one(ledger))


def arrived(ledger: Ledger, root: Root, relpath: str, content: str, file_id: str) -> Claimed:
    claim = claim_by_hand(ledger, add(ledger, root, relpath, content=content))
    return bring_to_arrived(ledger, claim, file_id)


@pytest.mark.parametrize(("relpath", "is_same_path"), [(FIRST, True), (SECOND, False)])
def test_other_content_of_a_name_and_version_knows_what_was_there_before(
    ledger: Ledger, root: Root, clock: Clock, relpath: str, is_same_path: bool
) -> None:
    first = arrived(ledger, root, FIRST, "a", "file-1")
    assert registry.namesake(ledger, first) is None
    delivered = clock.time
    transitions.done(ledger, first)
    clock.forward(60)
    again = registry.namesake(ledger, arrived(ledger, root, relpath, "b", "file-2"))
    assert again is not None
    assert (again.relpath, again.is_same_path) == (FIRST, is_same_path)
    assert (again.root, again.finished_at) == (str(root.path), delivered)


def test_two_at_once_know_of_each_other(ledger: Ledger, root: Root) -> None:
    first = arrived(ledger, root, FIRST, "a", "file-1")
    second = arrived(ledger, root, SECOND, "b", "file-2")
    for mine, other in ((first, SECOND), (second, FIRST)):
        found = registry.namesake(ledger, mine)
        assert found is not None
        assert (found.relpath, found.finished_at) == (other, None)


def test_a_copy_or_another_version_is_no_namesake(ledger: Ledger, root: Root) -> None:
    transitions.done(ledger, arrived(ledger, root, FIRST, "a", "file-1"))
    assert registry.namesake(ledger, arrived(ledger, root, SECOND, "a", "file-1")) is None
    add(ledger, root, "a/SQ07_001_v002.mov", content="b")
    later = transitions.intend_request(
        ledger, claim_one(ledger), target(version=2), way="tunnel", exposure="e"
    )
    assert (
        registry.namesake(
            ledger,
            transitions.arrived(
                ledger, transitions.requested(ledger, later, "file-3", view_url="u")
            ),
        )
        is None
    )


def test_versions_that_share_their_number_are_no_namesakes(ledger: Ledger, root: Root) -> None:
    """As v003a and v003b, two takes, or two exports of one day."""
    transitions.done(ledger, arrived(ledger, root, FIRST, "a", "file-1"))
    add(ledger, root, "a/SQ07_001_v001b.mov", content="b")
    other = target().model_copy(update={"version_key": "2/1/.2"})
    later = transitions.intend_request(ledger, claim_one(ledger), other, way="tunnel", exposure="e")
    assert (
        registry.namesake(
            ledger,
            transitions.arrived(
                ledger, transitions.requested(ledger, later, "file-3", view_url="u")
            ),
        )
        is None
    )


def test_a_batch_knows_the_namesakes_of_its_clips(ledger: Ledger, root: Root, clock: Clock) -> None:
    transitions.done(ledger, arrived(ledger, root, FIRST, "a", "file-1"))
    add(ledger, root, FIRST, content="b")
    add(ledger, root, SECOND, content="c")
    batches.gather(ledger, studio="main", channel="main", project="UNDLM")
    for number in range(2):
        clock.forward(60)
        transitions.done(ledger, bring_to_arrived(ledger, claim_one(ledger), f"file-{number + 2}"))
    (batch,) = batches.outdated(ledger, "main", pause=0)
    known = [clip.namesake for clip in batch.clips]
    assert [each and (each.relpath, each.is_same_path) for each in known] == [
        (FIRST, True),
        (FIRST, False),
    ]
