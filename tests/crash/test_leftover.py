"""A run dies while Frame.io has a file of a clip, which is exported anew or deleted meanwhile."""

from __future__ import annotations

from typing import get_args

import pytest

from postflow.ledger import State, queries
from tests.crash.ground import Ground
from tests.crash.killing import Death, Moment
from tests.crash.record import check_delivered_once, is_complete, sha256
from tests.support.wait import wait_until_sync

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

NAME = "SQ07_UNDLM_00152_v001.mov"


def leave_a_placeholder(ground: Ground, moment: Moment) -> None:
    """`before`: nobody has heard of it."""
    ground.world.fault("delay", "fetch", seconds=600, times=1)
    ground.drop(NAME)
    assert not ground.live(Death(at="clip requested", moment=moment))
    (left,) = ground.world.assets()
    assert left["status"] == "created"


def arrive_unheard(ground: Ground) -> None:
    """Frame.io has the whole file before it answers, and the run dies on the answer."""
    ground.world.fault("late_answer", "files.remote_upload", seconds=600)
    run = ground.start(Death(at="clip requested"))
    wait_until_sync(lambda: any(map(is_complete, ground.world.assets())), description="its arrival")
    ground.world.release()
    assert not run.ends()


@pytest.mark.parametrize(
    ("moment", "seen"), [("before", False), ("after", True)], ids=["not seen yet", "ready"]
)
async def test_a_dead_runs_placeholder_of_an_older_export_is_removed(
    ground: Ground, moment: Moment, seen: bool
) -> None:
    leave_a_placeholder(ground, moment)
    clip = ground.drop(NAME, atoms=100)
    if seen:
        await ground.watched_until_ready()
    assert ground.live(idle_timeout=3.0)
    check_delivered_once(ground, {NAME: clip})
    with ground.open_ledger() as ledger:
        assert {row.state for row in queries.rows(ledger)} == {State.DONE, State.SUPERSEDED}


@pytest.mark.parametrize("moment", get_args(Moment))
async def test_a_dead_runs_placeholder_of_a_file_that_is_gone_is_removed(
    ground: Ground, moment: Moment
) -> None:
    leave_a_placeholder(ground, moment)
    (ground.watched / NAME).unlink()
    assert ground.live()
    assert ground.world.assets() == []
    with ground.open_ledger() as ledger:
        (row,) = queries.rows(ledger)
    assert (row.state, row.code) == (State.SKIPPED, "file.missing")


@pytest.mark.parametrize("gone", [False, True], ids=["exported anew", "deleted"])
async def test_what_arrived_unheard_is_a_delivery_whatever_became_of_its_file(
    ground: Ground, gone: bool
) -> None:
    clip = ground.drop(NAME)
    sums = {sha256(clip)}
    arrive_unheard(ground)
    if gone:
        clip.unlink()
    else:
        sums.add(sha256(ground.drop(NAME, atoms=100)))
    assert ground.live(idle_timeout=3.0)
    assets = ground.world.assets()
    assert {asset["sha256"] for asset in assets} == sums
    assert len(assets) == len(sums)
    with ground.open_ledger() as ledger:
        assert {row.file_id for row in queries.rows(ledger)} == {asset["id"] for asset in assets}
        assert {row.state for row in queries.rows(ledger)} == {State.DONE}
    shown = [message["embeds"][0]["title"] for message in ground.world.messages()]
    assert len(shown) == len(sums)
    assert all(title.endswith("is ready for review") for title in shown)
    places = sorted((asset["stack"] or "", asset["position"]) for asset in assets)
    assert gone or places == [(places[0][0], 1), (places[0][0], 2)], "one stack of both"
