"""Which clips a later run stacks, and which are left as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from postflow.delivery.record import MOST_RUNS_PER_CLIP, DeliveryRecord
from postflow.errors import PostFlowError
from postflow.ledger import (
    AsyncLedger,
    Claimed,
    Ledger,
    Phase,
    State,
    claims,
    open_ledger,
    queries,
    roots,
)
from tests.ledger.ground import BROKEN, BUSY, add, bring_to_arrived, claim_one

FOR_LATER, FOR_GOOD = State.ARRIVED, State.DONE


async def arrived(ledger: AsyncLedger) -> Claimed:
    def bring(ledger: Ledger) -> Claimed:
        root = roots.add(ledger, "main", Path("/mnt/show"))
        add(ledger, root, "a.mov")
        return bring_to_arrived(ledger, claim_one(ledger))

    return await ledger.run(bring)


@pytest.mark.parametrize(
    ("why", "tries", "by_hand", "watched", "left"),
    [
        (BUSY, 0, False, True, FOR_LATER),
        (BUSY, MOST_RUNS_PER_CLIP - 1, False, True, FOR_LATER),
        (BUSY, MOST_RUNS_PER_CLIP, False, True, FOR_GOOD),
        (BROKEN, 0, False, True, FOR_GOOD),
        (BUSY, 0, True, True, FOR_LATER),
        (BUSY, 0, True, False, FOR_GOOD),
    ],
    ids=["busy", "last wait", "after the last", "broken", "by hand", "by hand, not watched"],
)
async def test_what_becomes_of_a_delivery_without_its_stack(
    tmp_path: Path, why: PostFlowError, tries: int, by_hand: bool, watched: bool, left: State
) -> None:
    async with open_ledger(tmp_path / "ledger.db") as ledger:
        claim = (await arrived(ledger)).model_copy(update={"tries": tries})
        journey = DeliveryRecord(ledger, claim, by_hand=by_hand, watched=watched)
        assert journey.not_stacked(why) is (left is FOR_LATER)
        await journey.done()
        (clip,) = await ledger.run(queries.rows, phase=Phase.DELIVERED)
    assert (clip.state, clip.code, clip.run_id) == (left, why.code, None)


@pytest.mark.parametrize(("tries", "state"), [(0, State.ARRIVED), (MOST_RUNS_PER_CLIP, State.DONE)])
async def test_a_delivery_whose_last_steps_fail_is_not_taken_up_at_once_and_not_for_ever(
    tmp_path: Path, tries: int, state: State
) -> None:
    async with open_ledger(tmp_path / "ledger.db") as ledger:
        claim = (await arrived(ledger)).model_copy(update={"tries": tries})
        await DeliveryRecord(ledger, claim, by_hand=False).end(BROKEN)
        assert await ledger.run(claims.claim, "run-2", limit=1) == []
        (clip,) = await ledger.run(queries.rows)
    assert (clip.state, clip.code) == (state, BROKEN.code)
