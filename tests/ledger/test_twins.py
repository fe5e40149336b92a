"""The same content under two paths is told of once."""

from __future__ import annotations

from postflow.ledger import Draft, Ledger, Root
from tests.ledger.ground import add, bring_to_arrived, claim_one

FIRST, SECOND = "a/SQ07_001_v001.mov", "b/SQ07_001_v001.mov"


def test_a_copy_of_what_was_told_of_has_nothing_to_tell(ledger: Ledger, root: Root) -> None:
    add(ledger, root, FIRST)
    add(ledger, root, SECOND)
    first, second = ledger.claim("run-1", limit=2)
    assert not ledger.is_told_elsewhere(second), "neither is delivered"
    first = bring_to_arrived(ledger, first)
    assert not ledger.is_told_elsewhere(second), "it is not told of yet"
    ledger.done(first)
    assert ledger.is_told_elsewhere(second)
    assert ledger.is_told_elsewhere(bring_to_arrived(ledger, second))


def test_a_copy_that_became_another_file_is_told_of(ledger: Ledger, root: Root) -> None:
    add(ledger, root, FIRST)
    ledger.done(bring_to_arrived(ledger, claim_one(ledger)))
    add(ledger, root, SECOND)
    assert not ledger.is_told_elsewhere(bring_to_arrived(ledger, claim_one(ledger), "file-2"))


def test_a_copy_whose_message_was_begun_is_told_to_its_end(ledger: Ledger, root: Root) -> None:
    add(ledger, root, FIRST)
    add(ledger, root, SECOND)
    first, second = ledger.claim("run-1", limit=2)
    ledger.announce(second, Draft(key="k", channel="main", payload={"title": "on its way"}))
    ledger.done(bring_to_arrived(ledger, first))
    assert not ledger.is_told_elsewhere(second)


def test_another_content_of_that_name_is_no_copy(ledger: Ledger, root: Root) -> None:
    add(ledger, root, FIRST)
    ledger.done(bring_to_arrived(ledger, claim_one(ledger)))
    add(ledger, root, SECOND, content="b")
    assert not ledger.is_told_elsewhere(claim_one(ledger))
