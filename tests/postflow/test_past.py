"""What the ledger says of the files that earlier runs, and other paths, have in a folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postflow.delivery.record import DeliveryRecord
from postflow.ledger import AsyncLedger, Ledger, claims, open_ledger, roots, transitions
from postflow.models import Folder
from tests.ledger.ground import add, bring_to_arrived, bring_to_requested, claim_one, target

NAME = "SQ07_00152_v001.mov"
FOLDER = Folder(id="folder", account_id="account", project_id="project", path=())
STACK = target().stack


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[AsyncLedger]:
    async with open_ledger(tmp_path / "ledger.db") as ledger:
        yield ledger


@pytest.fixture
def ledger(opened: AsyncLedger) -> Ledger:
    return opened.ledger


def two_paths(ledger: Ledger) -> list[int]:
    """The same clip at both."""
    folders = [roots.add(ledger, "main", Path("/mnt") / each) for each in ("one", "two")]
    return [add(ledger, folder, NAME) for folder in folders]


async def test_the_same_clip_on_its_way_from_another_path_is_known(
    opened: AsyncLedger, ledger: Ledger
) -> None:
    _, copy = two_paths(ledger)
    first = bring_to_requested(ledger, claim_one(ledger, "run-1"), "file-1")
    second = claims.claim_clip(ledger, "run-1", copy)
    assert second is not None
    journey = DeliveryRecord(opened, second, by_hand=False)
    past = await journey.past(FOLDER, STACK, second.media)
    assert (past.travelling, past.same) == (frozenset({"file-1"}), dict[str, int]())
    transitions.arrived(ledger, first)
    past = await journey.past(FOLDER, STACK, second.media)
    assert (past.travelling, past.same) == (frozenset(), {"file-1": second.size})


@pytest.mark.parametrize("heard", [False, True])
async def test_what_a_dead_run_asked_is_known_by_its_time_only_while_its_id_is_not(
    heard: bool, opened: AsyncLedger, ledger: Ledger
) -> None:
    two_paths(ledger)
    claim = transitions.intend_request(ledger, claim_one(ledger), target(), way="tunnel")
    if heard:
        claim = transitions.requested(ledger, claim, "file-1")
    claims.release(ledger, claim)
    again = claim_one(ledger, "run-2")
    past = await DeliveryRecord(opened, again, by_hand=False).past(FOLDER, STACK, again.media)
    assert (past.file_id, past.begun_at is None) == (("file-1", True) if heard else (None, False))
    assert past.travelling == frozenset()


async def test_a_delivered_file_of_its_own_is_not_on_its_way(
    opened: AsyncLedger, ledger: Ledger
) -> None:
    two_paths(ledger)
    claim = bring_to_arrived(ledger, claim_one(ledger))
    past = await DeliveryRecord(opened, claim, by_hand=False).past(FOLDER, STACK, claim.media)
    assert (set(past.same), past.travelling) == ({"file-1"}, frozenset())
