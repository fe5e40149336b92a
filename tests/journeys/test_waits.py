"""What is no clip's own fault: the clips wait, a person is told once, and they go by themselves."""

from __future__ import annotations

import pytest

from postflow.errors import Fatal
from postflow.ledger import Ledger, Phase, outages, queries, retrying
from postflow.sandbox import Sandbox
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import READY, endings, the_asset, titles, words
from tests.journeys.studios import save
from tests.support.enrolled import enrolled

pytestmark = pytest.mark.prefect


async def test_clips_wait_for_rights_that_somebody_has_to_give(
    nothing_cached: None, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.flows.deliver import deliver
    from postflow.flows.ingest import ingest

    clips = [make_clip(f"SQ07_UNDLM_0000{n}_v001.mov", extra=8 * n) for n in range(1, 4)]
    enrolled(clips[0].parent, studio="waits")
    watching = {"folders": [clips[0].parent], "quiet": 0.1, "at_once": 1, "idle_timeout": 1.0}
    studio = await save(world, name="waits", provider="loopback", watching=watching)
    world.fault("status", "accounts.list", code=403, times=1000)
    drained = await ingest(studio)
    assert (drained.failed, len(drained.put_off)) == ({}, 2), "the third need not find out"
    assert titles(world).count("Clips are not delivered for now") == 1
    assert endings(world) == [], "of no clip it is said that it has failed, or is on its way"
    assert sum(title.endswith("v001 is waiting") for title in titles(world)) == 2
    assert "editing rights" in words(world)
    with Ledger.open() as ledger:
        assert {row.phase for row in queries.rows(ledger)} == {Phase.WAITING}
        assert "editing rights" in str(outages.current(ledger, studio))
        with pytest.raises(Fatal):
            await deliver(clips[2], studio=studio)
        assert queries.rows(ledger, name=clips[2].name)[0].phase is Phase.FAILED, (
            "a person was there"
        )
        retrying.retry(ledger, clips[2].name)
        world.mend("accounts.list")
        outages.clear(ledger, studio)
    assert len((await ingest(studio)).delivered) == 3
    for clip in clips:
        the_asset(world, clip)
    assert endings(world).count(READY) == 3
