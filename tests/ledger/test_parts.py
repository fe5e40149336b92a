"""Parts of an unfinished direct upload: kept for whoever goes on, shown to nobody, then gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from postflow.errors import PostFlowError
from postflow.ledger import (
    Claimed,
    Ledger,
    Root,
    claims,
    export,
    parts,
    queries,
    retrying,
    roots,
    transitions,
)
from postflow.models import UploadPart
from tests.ledger.consistency import check_consistent
from tests.ledger.ground import BROKEN, BUSY, CHANGED, MISNAMED, add, claim_one, target

SECRET = "X-Amz-Signature=canary"
PARTS = [
    UploadPart(number=number, start=start, size=500, url=SecretStr(f"https://s3/{number}?{SECRET}"))
    for number, start in ((1, 0), (2, 500))
]


@pytest.fixture
def begun(ledger: Ledger, root: Root) -> Claimed:
    """One of two parts has arrived."""
    add(ledger, root, "a.mov")
    claim = transitions.intend_request(ledger, claim_one(ledger), target(), way="direct")
    claim = transitions.requested(ledger, claim, "file-1", parts=PARTS)
    parts.arrived(ledger, claim, 1, etag='"0cc1"', mtime_ns=7)
    return claim


def test_who_takes_the_clip_up_knows_what_has_arrived(ledger: Ledger, begun: Claimed) -> None:
    transitions.postpone(ledger, begun, BUSY)
    retrying.retry(ledger, "a.mov")
    claim = transitions.resumed(ledger, claim_one(ledger, "run-2"))
    assert claim.file_id == "file-1"
    found = parts.of(ledger, claim)
    assert [each.part for each in found] == PARTS
    assert [(each.etag, each.mtime_ns) for each in found] == [('"0cc1"', 7), (None, None)]
    check_consistent(ledger)


def test_a_clip_that_failed_goes_on_in_the_same_file(ledger: Ledger, begun: Claimed) -> None:
    transitions.fail(ledger, begun, BROKEN)
    retrying.retry(ledger, "a.mov")
    claim = transitions.resumed(ledger, claim_one(ledger, "run-2"))
    assert (claim.file_id, len(parts.of(ledger, claim))) == ("file-1", 2)
    check_consistent(ledger)


End = Callable[[Ledger, Claimed], object]


def given_up(how: Callable[[Ledger, Claimed, PostFlowError], None], why: PostFlowError) -> End:
    def end(ledger: Ledger, claim: Claimed) -> None:
        how(ledger, claim, why)

    return end


@pytest.mark.parametrize(
    "end",
    [
        transitions.arrived,
        parts.forget,
        given_up(transitions.skip, MISNAMED),
        given_up(transitions.supersede, CHANGED),
        lambda ledger, claim: transitions.intend_request(ledger, claim, target(), way="tunnel"),
    ],
)
def test_the_addresses_go_with_the_upload(ledger: Ledger, begun: Claimed, end: End) -> None:
    end(ledger, begun)
    with ledger.reading() as tx:
        assert tx.connection.exec_driver_sql("SELECT count(*) FROM parts").scalar() == 0


@pytest.mark.parametrize("end", [claims.release, given_up(transitions.fail, BROKEN)])
def test_what_no_run_has_can_be_cleaned_up(ledger: Ledger, begun: Claimed, end: End) -> None:
    assert parts.unclaimed(ledger, "main") == ()
    end(ledger, begun)
    (left,) = parts.unclaimed(ledger, "main")
    assert (left.file_id, left.account_id, left.is_over) == ("file-1", "account", False)
    assert parts.unclaimed(ledger, "another") == ()
    parts.forget_unclaimed(ledger, left)
    assert parts.unclaimed(ledger, "main") == ()
    check_consistent(ledger)


def test_a_newer_export_leaves_the_unfinished_file_of_the_older_to_be_removed(
    ledger: Ledger, root: Root, begun: Claimed
) -> None:
    transitions.fail(ledger, begun, BROKEN)
    add(ledger, root, "a.mov", content="newer")
    (left,) = parts.unclaimed(ledger, "main")
    assert left.is_over


def test_nobody_is_shown_an_address(ledger: Ledger, begun: Claimed) -> None:
    shown = [*export.lines(ledger), repr(queries.rows(ledger)), repr(parts.of(ledger, begun))]
    assert "file-1" in str(shown)
    assert SECRET not in str(shown)
    assert [row.way for row in queries.rows(ledger)] == ["direct"]


def test_what_was_deleted_is_left_in_no_file(tmp_path: Path) -> None:
    """Nor in the write-ahead log of a ledger that stays open."""
    path = tmp_path / "ledger.db"
    with Ledger.open(path) as ledger:
        add(ledger, roots.add(ledger, "main", Path("/mnt/show")), "a.mov")
        (claim,) = claims.claim(ledger, "run-1", limit=1)
        claim = transitions.intend_request(ledger, claim, target(), way="direct")
        claim = transitions.requested(ledger, claim, "file-1", parts=PARTS)
        assert SECRET.encode() in b"".join(each.read_bytes() for each in tmp_path.iterdir())
        transitions.arrived(ledger, claim)
        assert SECRET.encode() not in b"".join(each.read_bytes() for each in tmp_path.iterdir())
