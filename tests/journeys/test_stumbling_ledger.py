"""The ledger is busy at any step of a journey: the clip arrives once, and is told of once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from postflow.errors import Retry
from postflow.ledger import Ledger, StaleClaim, clips, outages, queries
from postflow.sandbox import Sandbox
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import READY, calls, endings, the_asset
from tests.journeys.studios import save
from tests.support.enrolled import enrolled
from tests.support.stumbling import BUSY, StumblingLedger, stumbling

pytestmark = pytest.mark.prefect

V1, V2 = (f"SQ07_UNDLM_00152_v00{number}.mov" for number in (1, 2))
# Before there is a clip to be claimed.
LOOK = {"enrolled", "known", "observe", "set_notes", "register"}
# Of a folder that no clip went to before.
PLACE = {"folders_at", "keep_folders"}
NOT_OF_A_CLIP = {"recover", "renew", "revisions"} | LOOK


@pytest.fixture(autouse=True)
def tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "FIRST", 0.05)
    for pause in ("PAUSE", "BRIEF"):
        monkeypatch.setattr(outages, pause, timedelta(seconds=0.05))


@pytest.fixture
async def watching(nothing_cached: None, world: Sandbox, make_clip: MakeClip) -> str:
    folder = make_clip(V1).parent
    enrolled(folder, studio="stumbling")
    watched = {"folders": [folder], "quiet": 0.1, "interval": 0.1, "idle_timeout": 3.0}
    return await save(world, name="stumbling", provider="loopback", watching=watched)


async def ingested(studio: str, **faults: Exception | list[Exception]) -> StumblingLedger:
    """One run of `ingest`, on a ledger with these faults."""
    from postflow.engine.studio import open_studio
    from postflow.flows.ingest import ingest

    async with open_studio(studio) as opened:
        opened.ledger, stumbler = stumbling(opened.ledger, **faults)
        await ingest(studio)
    return stumbler


async def test_each_step_of_a_journey_may_meet_a_busy_ledger(
    watching: str, world: Sandbox, make_clip: MakeClip
) -> None:
    """All that it asks of the ledger fails the first time."""
    asked = set((await ingested(watching)).calls)
    clip = make_clip(V2, extra=8)
    stumbler = await ingested(watching, **dict.fromkeys(asked - NOT_OF_A_CLIP - PLACE, BUSY))
    late = set(stumbler.calls) - asked - NOT_OF_A_CLIP
    assert {"intend_stack", "stacked", "postpone"} <= late
    third = make_clip("SQ07_UNDLM_00152_v003.mov", extra=16)
    withdrawn: dict[str, Exception | list[Exception]] = {"requested": BUSY, "arrived": [BUSY] * 3}
    another = await ingested(watching, **withdrawn, **dict.fromkeys(late, BUSY))
    elsewhere = make_clip("SQ08_UNDLM_00001_v001.mov", extra=24)
    placing = await ingested(watching, **dict.fromkeys(PLACE, BUSY))
    assert [each.yet_to_come for each in (stumbler, another, placing)] == [set()] * 3
    for each in (clip, third, elsewhere):
        the_asset(world, each)
    assert endings(world) == [READY] * 4
    assert_nobody_holds_any()


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param({"done": [BUSY] * 8}, id="longer-than-it-is-asked"),
        pytest.param(
            {"arrived": [BUSY] * 3, "postpone": [BUSY] * 7, "release": [BUSY] * 2},
            id="at-every-way-out",
        ),
    ],
)
async def test_no_clip_stays_in_the_hands_of_a_run_that_goes_on(
    watching: str, world: Sandbox, faults: dict[str, list[Exception]]
) -> None:
    stumbler = await ingested(watching, **faults)
    assert not stumbler.yet_to_come
    assert endings(world) == [READY]
    assert calls(world, "files.remote_upload") == 1
    assert_nobody_holds_any()


async def test_clips_that_another_run_took_over_end_no_run_and_are_none_of_its_failures(
    watching: str, world: Sandbox, make_clip: MakeClip
) -> None:
    """Before they are refused for their name, and before they travel."""
    from postflow.engine.studio import open_studio
    from postflow.flows.ingest import ingest

    make_clip("nobody_knows.mov", extra=8)
    taken = StaleClaim("Taken over.", hint="Nothing to do.", code="ledger.stale_claim")
    async with open_studio(watching) as opened:
        opened.ledger, stumbler = stumbling(opened.ledger, skip=taken, read_claim=taken)
        drained = await ingest(watching)
    assert not stumbler.yet_to_come
    assert (drained.failed, drained.put_off) == ({}, {})
    assert endings(world) == [READY]


async def test_by_hand_too_nothing_is_held_and_the_next_attempt_delivers(
    watching: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.engine.studio import open_studio
    from postflow.flows.deliver import deliver

    clip = make_clip(V1)
    async with open_studio(watching) as opened:
        real = opened.ledger
        opened.ledger, _ = stumbling(real, arrived=[BUSY] * 3, fail=[BUSY] * 6)
        with pytest.raises(Retry):
            await deliver(clip, studio=watching)
        assert_nobody_holds_any()
        opened.ledger = real
        await deliver(clip, studio=watching)
    the_asset(world, clip)
    assert endings(world) == [READY]


def assert_nobody_holds_any() -> None:
    with Ledger.open() as ledger:
        assert {row.run_id for row in queries.rows(ledger)} == {None}
