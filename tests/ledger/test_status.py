"""What a person is told, and the export."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from postflow.ledger import (
    Announcement,
    Ledger,
    Phase,
    Root,
    export,
    observations,
    outbox,
    queries,
    retrying,
    transitions,
)
from postflow.ledger.schema import SCHEMA_VERSION
from tests.ledger.ground import (
    BROKEN,
    BUSY,
    MISNAMED,
    Clock,
    add,
    add_many,
    bring_to_arrived,
    bring_to_requested,
    claim_one,
    set_aside,
    sighting,
)


def fill(ledger: Ledger, root: Root) -> None:
    """One clip in every phase but `waiting`, which has two, and `refused`."""
    observations.observe(ledger, root, [sighting(root, "aside.mov")])
    set_aside(ledger, root)
    observations.observe(ledger, root, [sighting(root, "growing.mov"), sighting(root, "gone.mov")])
    observations.observe(ledger, root, [], gone=["gone.mov"])
    add(ledger, root, "done.mov")
    transitions.done(ledger, bring_to_arrived(ledger, claim_one(ledger)))
    add(ledger, root, "failed.mov")
    transitions.fail(ledger, claim_one(ledger), BROKEN)
    add(ledger, root, "skipped.mov")
    transitions.skip(ledger, claim_one(ledger), MISNAMED)
    add(ledger, root, "renamed.mov")
    transitions.skip(ledger, claim_one(ledger), MISNAMED)
    observations.observe(ledger, root, [], gone=["renamed.mov"])
    add(ledger, root, "way.mov")
    bring_to_requested(ledger, claim_one(ledger))
    add(ledger, root, "twice.mov", content="a")
    add(ledger, root, "twice.mov", content="b")
    add(ledger, root, "waiting.mov")


def test_every_file_is_counted_in_one_phase(ledger: Ledger, root: Root) -> None:
    assert set(queries.counts(ledger).values()) == {0}
    fill(ledger, root)
    assert queries.counts(ledger) == dict.fromkeys(Phase, 1) | {Phase.WAITING: 2, Phase.REFUSED: 0}
    assert queries.counts(ledger, "main") == queries.counts(ledger)
    assert set(queries.counts(ledger, "other").values()) == {0}


def test_rows_can_be_asked_for_by_phase_and_name(ledger: Ledger, root: Root, clock: Clock) -> None:
    fill(ledger, root)
    assert len(queries.rows(ledger)) == 8
    assert len(queries.rows(ledger, limit=2)) == 2
    assert queries.rows(ledger, studio="other") == []
    for phase, number in queries.counts(ledger).items():
        if phase not in (Phase.SETTLING, Phase.REFUSED, Phase.SET_ASIDE):
            assert len(queries.rows(ledger, phase=phase)) == number
    (failed,) = queries.rows(ledger, name="failed.mov")
    assert (failed.phase, failed.hint) == (Phase.FAILED, BROKEN.hint)


@pytest.mark.parametrize("give_up", [transitions.skip, transitions.fail])
def test_what_was_given_up_is_left_alone_while_its_file_is_gone(
    ledger: Ledger, root: Root, give_up: Callable[..., None]
) -> None:
    add(ledger, root, "a.mov")
    give_up(ledger, claim_one(ledger), BROKEN)
    (before,) = queries.rows(ledger)

    observations.observe(ledger, root, [], gone=["a.mov"])
    assert [clip.phase for clip in queries.rows(ledger)] == [Phase.GONE]
    assert retrying.retry(ledger, "a.mov") == retrying.retry(ledger) == []

    observations.observe(ledger, root, [sighting(root, "a.mov")])
    assert queries.rows(ledger) == [before]
    assert retrying.retry(ledger, "a.mov") == ["a.mov"]


def test_what_only_lacks_its_stack_is_tried_again_without_its_file(
    ledger: Ledger, root: Root
) -> None:
    add(ledger, root, "a.mov")
    transitions.postpone_stack(ledger, bring_to_arrived(ledger, claim_one(ledger)), BUSY)
    observations.observe(ledger, root, [], gone=["a.mov"])
    assert [clip.phase for clip in queries.rows(ledger)] == [Phase.DELIVERED]
    assert retrying.retry(ledger, "a.mov") == ["a.mov"]


def test_what_is_waited_for_is_listed_with_its_age(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    fill(ledger, root)
    began = clock()
    clock.forward(4000)
    (waiting,) = queries.unsettled(ledger)
    assert (waiting.relpath, waiting.waiting_since) == ("growing.mov", began)
    assert queries.unsettled(ledger, studio="other") == []


def test_what_time_does_not_help_is_refused_until_it_changes(ledger: Ledger, root: Root) -> None:
    observations.observe(ledger, root, [sighting(root, "cut.mov"), sighting(root, "new.mov")])
    observations.set_notes(
        ledger, root, {"cut.mov": "is cut", "new.mov": "is new"}, refused={"cut.mov"}
    )
    counts = queries.counts(ledger)
    assert (counts[Phase.REFUSED], counts[Phase.SETTLING]) == (1, 1)
    assert {each.relpath: each.refused for each in queries.unsettled(ledger)} == {
        "cut.mov": True,
        "new.mov": False,
    }
    observations.observe(ledger, root, [sighting(root, "cut.mov", size=7)])
    assert queries.counts(ledger)[Phase.SETTLING] == 2


def test_the_export_holds_everything_as_json_lines(ledger: Ledger, root: Root) -> None:
    fill(ledger, root)
    outbox.enqueue(ledger, Announcement(key="k", channel="c", payload={"content": "é"}))
    lines = list(export.lines(ledger))
    assert not any("\n" in line for line in lines)
    records = [json.loads(line) for line in lines]
    assert [record["kind"] for record in records] == ["ledger", "root", *["clip"] * 8, "message"]
    assert records[0]["schema"] == SCHEMA_VERSION
    done = next(record for record in records if record.get("name") == "done.mov")
    assert done["found_at"] == "2026-11-22T09:00:00+00:00"
    assert [attempt["outcome"] for attempt in done["attempts"]] == ["arrived"]
    assert [step["now"] for step in done["history"]][-1] == "done"


def test_the_export_is_of_one_moment(where: str, ledger: Ledger, root: Root) -> None:
    """What is written while it runs, by the same or another process, is not half in it."""
    add_many(ledger, root, 5)
    lines = export.lines(ledger)
    begun = [next(lines) for _ in range(3)]
    with Ledger.open(where) as other:
        add(other, root, "later.mov")
    assert len([*begun, *lines]) == 2 + 5
    assert len(list(export.lines(ledger))) == 2 + 6


def test_endings_are_told_once_and_those_of_before_not_at_all(ledger: Ledger, root: Root) -> None:
    fill(ledger, root)
    last, before = queries.endings(ledger, "main")
    assert before == []
    add(ledger, root, "new.mov")
    transitions.fail(ledger, claim_one(ledger), BROKEN)
    retrying.retry(ledger, "failed.mov")
    last, ended = queries.endings(ledger, "main", after=last)
    assert [clip.relpath for clip in ended] == ["twice.mov"], "the oldest was claimed"
    assert queries.endings(ledger, "main", after=last) == (last, [])
    assert queries.endings(ledger, "other", after=0)[1] == []
