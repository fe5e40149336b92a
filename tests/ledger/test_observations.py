"""The scanner's memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from postflow.ledger import (
    Ledger,
    Observation,
    ObservationState,
    Root,
    claims,
    export,
    observations,
    queries,
    registry,
    roots,
    schema,
)
from postflow.ledger.observations import stop_ignoring
from postflow.ledger.transaction import as_entries, columns_of
from tests.ledger.ground import Clock, add, media, set_aside, sighting


def only(ledger: Ledger, root: Root) -> Observation:
    query = select(*columns_of(Observation, schema.observations))
    with ledger.reading() as tx:
        (found,) = as_entries(Observation, tx.execute(query).mappings().all())
    return found


def test_a_scan_is_entered_as_new_changed_and_same(ledger: Ledger, root: Root) -> None:
    observations.observe(ledger, root, [sighting(root, "a.mov"), sighting(root, "b.mov")])
    second = [sighting(root, "a.mov"), sighting(root, "b.mov", size=5), sighting(root, "c.mov")]
    observed = observations.observe(ledger, root, second)
    assert (observed.new, observed.changed, observed.same, observed.gone) == (1, 1, 1, 0)
    assert sorted((each.relpath, each.size) for each in observations.known(ledger, root)) == [
        ("a.mov", 1000),
        ("b.mov", 5),
        ("c.mov", 1000),
    ]


def test_more_files_than_one_statement_holds(ledger: Ledger, root: Root) -> None:
    seen = [sighting(root, f"{number}.mov") for number in range(2500)]
    assert observations.observe(ledger, root, seen).new == 2500
    assert observations.observe(ledger, root, seen, gone=["7.mov"]).same == 2500
    assert len(observations.known(ledger, root)) == 2499


def test_a_growing_file_is_waited_for_from_the_first_look_on(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    began = clock()
    for size in (1, 2, 3):
        observations.observe(ledger, root, [sighting(root, "a.mov", size=size)])
        clock.forward(60)
    found = only(ledger, root)
    assert found.waiting_since == began
    assert found.since == began + timedelta(seconds=120)


def test_a_settled_file_that_changes_is_waited_for_anew(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    add(ledger, root, "a.mov")
    clock.forward(3600)
    observations.observe(ledger, root, [sighting(root, "a.mov", size=2000)])
    found = only(ledger, root)
    assert (found.state, found.waiting_since) == (ObservationState.SETTLING, clock())


def test_the_reason_for_waiting_is_kept_until_the_file_changes(ledger: Ledger, root: Root) -> None:
    observations.observe(ledger, root, [sighting(root, "a.mov")])
    observations.set_notes(ledger, root, {"a.mov": "The movie's index is missing."})
    observations.set_notes(ledger, root, {})
    assert queries.unsettled(ledger)[0].note == "The movie's index is missing."
    observations.observe(ledger, root, [sighting(root, "a.mov", size=2000)])
    assert only(ledger, root).note is None


def test_files_that_vanish_and_come_back_are_as_they_were(ledger: Ledger, root: Root) -> None:
    """A lost mount must not lead to anything being looked at again."""
    add(ledger, root, "a.mov")
    assert observations.observe(ledger, root, [], gone=["a.mov"]).gone == 1
    assert observations.observe(ledger, root, [], gone=["a.mov"]).gone == 0
    assert observations.known(ledger, root) == []
    observed = observations.observe(ledger, root, [sighting(root, "a.mov")])
    assert (observed.new, observed.changed) == (0, 0)
    assert only(ledger, root).state is ObservationState.SETTLED


def test_a_root_is_the_same_wherever_it_is_mounted(ledger: Ledger, root: Root) -> None:
    add(ledger, root, "a.mov")
    moved = roots.add(ledger, "main", Path("/Volumes/show"), root.mark)
    assert moved.id == root.id
    assert moved.path == Path("/Volumes/show")
    assert only(ledger, moved).relpath == "a.mov"
    assert roots.add(ledger, "other", root.path, root.mark).id != root.id


def test_a_backlog_can_be_set_aside_by_date_and_taken_back(ledger: Ledger, root: Root) -> None:
    limit = datetime(2026, 11, 1, tzinfo=UTC)
    stamp = int(limit.timestamp()) * 10**9
    old, new = (
        sighting(root, "old.mov", mtime_ns=stamp - 1),
        sighting(root, "new.mov", mtime_ns=stamp),
    )
    observations.observe(ledger, root, [old, new])
    assert set_aside(ledger, root, before=limit) == 1
    observations.observe(ledger, root, [old, new])
    assert [each.relpath for each in observations.known(ledger, root, ObservationState.ASIDE)] == [
        "old.mov"
    ]
    with ledger.writing() as tx:
        assert stop_ignoring(tx, root) == 1
    assert set_aside(ledger, root) == 2


def test_a_file_that_was_set_aside_and_then_changes_is_waited_for(
    ledger: Ledger, root: Root
) -> None:
    observations.observe(ledger, root, [sighting(root, "a.mov")])
    set_aside(ledger, root)
    observations.observe(ledger, root, [sighting(root, "a.mov", mtime_ns=5)])
    assert only(ledger, root).state is ObservationState.SETTLING


def test_hosts_that_see_other_mtimes_do_not_undo_each_other(ledger: Ledger, root: Root) -> None:
    """As over SMB (100 ns), a mount with whole seconds, and FAT, in turn."""
    fine, whole, fat = 10**18 + 10**9 + 123_456_700, 10**18 + 10**9, 10**18 + 2 * 10**9
    observations.observe(ledger, root, [sighting(root, "a.mov", mtime_ns=fine)])
    assert registry.register(ledger, root, media(root, "a.mov", mtime_ns=whole))
    for mtime_ns in (whole, fine, fat, fine):
        seen = [sighting(root, "a.mov", mtime_ns=mtime_ns)]
        assert observations.observe(ledger, root, seen).same == 1
    assert only(ledger, root).state is ObservationState.SETTLED


def test_content_that_changes_within_a_hosts_second_is_another_clip(
    ledger: Ledger, root: Root
) -> None:
    """Its finder sees another mtime, and asks; the fingerprint tells."""
    second = 10**18
    observations.observe(ledger, root, [sighting(root, "a.mov", mtime_ns=second)])
    first = registry.register(ledger, root, media(root, "a.mov", mtime_ns=second))
    changed = media(root, "a.mov", content="b", mtime_ns=second + 5)
    observations.observe(ledger, root, [sighting(root, "a.mov", mtime_ns=second + 5)])
    later = registry.register(ledger, root, changed)
    assert first
    assert later
    assert later.new
    assert later.clip_id != first.clip_id


def test_hostile_file_names_come_back_as_they_were(ledger: Ledger, root: Root) -> None:
    names = [
        r"back\slash\udce9_v001.mov",
        'it\'s "quoted"; DROP TABLE clips;--.mov',
        "line\nend %s %(x)s :name _v001.mov",
        "é" * 120 + ".mov",
    ]
    for name in names:
        clip_id = add(ledger, root, name)
        assert queries.rows(ledger, name=name)[0].id == clip_id
    taken = claims.claim(ledger, "run-1", limit=10)
    assert {claim.path for claim in taken} == {root.path / name for name in names}
    assert len(list(export.lines(ledger))) == len(names) + 2


def test_the_spelling_on_disk_is_kept_beside_the_key(ledger: Ledger, root: Root) -> None:
    """Some disks give names in NFD; what opens the file there is not what names it here."""
    nfc, nfd = "pl\u00e9n_v001.mov", "ple\u0301n_v001.mov"
    seen = sighting(root, nfc).model_copy(update={"path": root.path / nfd})
    observations.observe(ledger, root, [seen])
    assert registry.register(ledger, root, media(root, nfd)) is not None
    (claim,) = claims.claim(ledger, "run-1", limit=1)
    assert (claim.relpath, claim.name) == (nfc, nfc)
    assert claim.path == root.path / nfd
    assert queries.rows(ledger, name=nfd)[0].id == claim.clip_id
